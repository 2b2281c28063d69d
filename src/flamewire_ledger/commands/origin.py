"""Origin: who sends a command, and how it is recognised when it comes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from flamewire_ledger.commands.decider import Envelope, Facts, Subject


@dataclass(slots=True)  # not frozen, as the others that are made for each command
class Decision:
    """What was decided: the states before and after by stream id, and the facts between them."""

    before: Mapping[str, Any]
    facts: Facts
    after: Mapping[str, Any]


Answer: TypeAlias = Callable[[Decision], bytes]  # makes the stored answer


@dataclass(slots=True)
class Origin:
    """The same `command_id` with the same `fingerprint` is the same command, done once.

    `actor` is key:…, process:…, watcher:… or cli; `causation_id` names the event that caused it,
    for what processes send.
    """

    command_id: UUID
    merchant_id: str
    actor: str
    fingerprint: bytes = b""
    correlation_id: str | None = None
    causation_id: str | None = None

    def envelope(
        self,
        subjects: tuple[Subject, ...],
        decide: Callable[[Mapping[str, Any]], Facts],
        answer: Answer | None = None,
    ) -> Envelope:
        """The command, ready for the writer. One that asks for an answer is remembered even when it
        changes nothing.
        """
        before: Mapping[str, Any] = {}
        facts: Facts = {}

        def remembering(states: Mapping[str, Any]) -> Facts:
            nonlocal before, facts
            before, facts = states, decide(states)
            return facts

        def stored(states: Mapping[str, Any]) -> bytes:
            # The writer asks for the answer right after the decision it is about.
            assert answer is not None, "nobody asks for an answer where there is none"
            return answer(Decision(before, facts, states))

        return Envelope(
            command_id=self.command_id,
            fingerprint=self.fingerprint,
            merchant_id=self.merchant_id,
            actor=self.actor,
            subjects=subjects,
            decide=decide if answer is None else remembering,
            answer=None if answer is None else stored,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            remember_nothing_new=answer is not None,
        )
