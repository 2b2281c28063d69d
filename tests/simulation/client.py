"""A client of the ledger: it sends a command until it knows what became of it, or loses patience,
and remembers every word it was given.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from flamewire_ledger.commands.decider import Contended, Done, Envelope
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, LimitReached, Rejection
from flamewire_ledger.store.event_store import StoreUnavailable
from tests.simulation.broken import Broken
from tests.simulation.roles import Api

_TRIES_MAX = 8
_REFUSED_FOR_NOW = (Contended, LimitReached)


@dataclass
class Sent:
    """A command under its id, and what is known of it."""

    command_id: UUID
    kind: str
    make: Callable[[bytes], Envelope]  # from a fingerprint; anew each time, as an API would
    fingerprint: bytes
    done: Done | None = None  # acknowledged
    refused: Rejection | None = None
    was_in_doubt: bool = False  # an attempt went without an answer


@dataclass
class Client:
    """`sent` has every command that ever left."""

    apis: list[Api]
    chance: Random
    sent: dict[UUID, Sent] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    async def send(self, sent: Sent) -> bool:
        """Whether it is acknowledged."""
        self.sent[sent.command_id] = sent
        for _ in range(_TRIES_MAX):
            was_done = sent.done is not None
            outcome = await self._ask(sent, sent.fingerprint)
            match outcome:
                case Done():
                    self._acknowledged(sent, outcome)
                    return True
                case Rejection() if not isinstance(outcome, _REFUSED_FOR_NOW):
                    self._refused(sent, outcome, was_done=was_done)
                    return False
            await asyncio.sleep(self.chance.uniform(0.1, 3))
        self.counts[f"{sent.kind}: never known"] += 1
        return False

    async def send_other_content(self, sent: Sent) -> None:
        """The same id with other content: never done, once the first was acknowledged."""
        assert sent.done is not None
        outcome = await self._ask(sent, sent.fingerprint + b"!")
        self.counts["other content under an old key"] += 1
        if isinstance(outcome, Done):
            raise Broken(
                "other content under the same key is refused",
                f"{sent.kind} {sent.command_id} was done with other content",
            )

    async def _ask(self, sent: Sent, fingerprint: bytes) -> Done | Rejection | Contended | None:
        api = self.chance.choice(self.apis)
        patience = self.chance.choice([0.05, 1, 10, 60])
        try:
            outcome = await api.ask(sent.make(fingerprint), patience)
        except (StoreUnavailable, TimeoutError):
            outcome = None
        except Exception as error:
            raise Broken("no command fails", f"{sent.kind} {sent.command_id}: {error!r}") from error
        sent.was_in_doubt |= outcome is None
        return outcome

    def _acknowledged(self, sent: Sent, done: Done) -> None:
        before = sent.done
        if before is None:
            sent.done = done
            self.counts[f"{sent.kind}: done"] += 1
            return
        self.counts["repeated"] += 1
        if (before.position, before.answer) != (done.position, done.answer):
            raise Broken(
                "a repeated command is given the same answer",
                f"{sent.kind} {sent.command_id}: first {before}, then {done}",
            )

    def _refused(self, sent: Sent, refusal: Rejection, *, was_done: bool) -> None:
        if sent.done is not None and not was_done:
            # It was on its way to two processes at once: one refused it before the other did it,
            # and was heard later.
            self.counts[f"{sent.kind}: refused while it was done elsewhere"] += 1
            return
        if was_done:
            raise Broken(
                "a repeated command is given the same answer",
                f"{sent.kind} {sent.command_id} was done, then refused: {refusal!r}",
            )
        if isinstance(refusal, IdempotencyKeyReused):
            raise Broken(
                "a key is taken by its own content only",
                f"{sent.kind} {sent.command_id} was refused: {refusal!r}",
            )
        sent.refused = refusal
        self.counts[f"{sent.kind}: refused"] += 1
