"""One page of events, turned into commands and sent: this file holds everything but the loop.

The commands of a page go to the writer together, in the order of the facts they follow from, so
that they share its appends and keep their order on every stream. What cannot be done is named with
its cause, and the rest goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, assert_never

from flamewire_ledger.commands.decider import Contended, Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.rejection import LimitReached, QueueFull, Rejection
from flamewire_ledger.processes.envelopes import envelope_of
from flamewire_ledger.processes.process import ROUNDS_MAX, Fact, FollowUp, Process
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, RecordedEvent, StoreUnavailable

TRIES_MAX: Final = 8
LIMIT_TRIES_MAX: Final = 3  # where only a limit refuses: room seldom comes within seconds
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_MAX: Final = 5.0


class Writes(Protocol):
    """The writer, as far as processes need it."""

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """An event that a process is to see."""

    process: Process
    event: RecordedEvent


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that a process could not handle, and why; None: it waits for one that failed."""

    process: str
    event: RecordedEvent
    cause: str | None


@dataclass(frozen=True, slots=True)
class Reaction:
    """What became of a page: commands recorded now, commands that had been before, and what
    failed.
    """

    recorded: int
    repeated: int
    failures: tuple[Failure, ...]


@dataclass(slots=True)
class _Work:
    """A page on its way. A task that fails leaves `facts` and has its cause in `causes`."""

    facts: dict[int, Fact] = field(default_factory=dict)  # by the task's place in the page
    causes: dict[int, str] = field(default_factory=dict)
    past: dict[str, Sequence[Fact]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)  # streams, and why
    sent: list[tuple[int, Envelope]] = field(default_factory=list)

    def fail(self, place: int, cause: str) -> None:
        self.facts.pop(place, None)
        self.causes.setdefault(place, cause)


class Reactions:
    """Reacts to pages of events. It knows no checkpoint: the same page twice changes nothing."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        writer: Writes,
        *,
        wait_seconds_first: float = _WAIT_SECONDS_FIRST,
    ) -> None:
        self._store = store
        self._codec = codec
        self._writer = writer
        self._wait_seconds_first = wait_seconds_first

    async def react(self, partition: int, tasks: Sequence[Task]) -> Reaction:
        """React to events of one partition, oldest first.

        Raises StoreUnavailable when the commands may not all be recorded for a reason that passes;
        the page is then to be given again.
        """
        work = _Work()
        self._decode(tasks, work)
        await self._remember(partition, tasks, work)
        self._follow(tasks, work)
        outcomes = await self._send([envelope for _, envelope in work.sent])
        recorded = repeated = 0
        for (place, _), outcome in zip(work.sent, outcomes, strict=True):
            match outcome:
                case Done(replayed=replayed):
                    repeated += replayed
                    recorded += not replayed
                case _:
                    work.fail(place, _cause(outcome))
        failures = tuple(
            Failure(tasks[place].process.name, tasks[place].event, cause)
            for place, cause in sorted(work.causes.items())
        )
        return Reaction(recorded, repeated, failures)

    def _decode(self, tasks: Sequence[Task], work: _Work) -> None:
        for place, task in enumerate(tasks):
            try:
                work.facts[place] = Fact(self._codec.decode(task.event), task.event)
            except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
                work.fail(place, f"the event cannot be read: {_say(error)}")

    async def _remember(self, partition: int, tasks: Sequence[Task], work: _Work) -> None:
        """Load what the processes ask for, in a bounded number of rounds, each one query."""
        for _ in range(ROUNDS_MAX):
            missing: dict[str, int] = {}
            for place, fact in list(work.facts.items()):
                try:
                    asked = tasks[place].process.asks(fact, work.past)
                except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
                    work.fail(place, f"its history does not add up: {_say(error)}")
                    continue
                broken = asked & work.unreadable.keys()
                for stream_id in broken:
                    work.fail(place, work.unreadable[stream_id])
                missing |= {} if broken else dict.fromkeys(asked - work.past.keys(), 0)
            if not missing:
                return
            for stream_id, events in (await self._store.load(partition, missing)).items():
                self._keep(stream_id, events, work)
        for place, fact in list(work.facts.items()):
            if tasks[place].process.asks(fact, work.past):
                work.fail(place, f"it asks for more history after {ROUNDS_MAX} rounds")

    def _keep(self, stream_id: str, events: Sequence[RecordedEvent], work: _Work) -> None:
        try:
            work.past[stream_id] = [Fact(self._codec.decode(event), event) for event in events]
        except Exception as error:  # noqa: BLE001 - one broken stream must not stop the others
            work.unreadable[stream_id] = f"its history {stream_id} cannot be read: {_say(error)}"

    def _follow(self, tasks: Sequence[Task], work: _Work) -> None:
        for place in sorted(work.facts):
            process, fact = tasks[place].process, work.facts[place]
            try:
                work.sent += [
                    (place, self._envelope(process.name, fact, follow_up))
                    for follow_up in process.react(fact, work.past)
                ]
            except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
                work.fail(place, f"the process does not know what follows: {_say(error)}")

    def _envelope(self, process: str, fact: Fact, follow_up: FollowUp) -> Envelope:
        recorded = fact.recorded
        names = (recorded.stream_id, str(recorded.version), follow_up.name)
        origin = Origin(
            command_id=command_id(*names),
            merchant_id=follow_up.merchant_id or recorded.merchant_id,
            actor=f"process:{process}",
            # What follows is the cause's consequence in whatever words this version of the code
            # puts it.
            fingerprint=hashlib.sha256("\x1f".join(names).encode()).digest(),
            causation_id=f"{recorded.stream_id}/{recorded.version}",
        )
        # An empty decision is remembered too: seen again, it must not decide on what has happened
        # since.
        return replace(envelope_of(follow_up.command, origin), remember_nothing_new=True)

    async def _send(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        """Send them all, and all again while any failed for a reason that may pass: order is kept,
        and none is done twice. What is a command's own reason does not hold up the others for ever.
        """
        if not envelopes:
            return []
        wait_seconds = self._wait_seconds_first
        tries = 1
        while tries < max(map(_tries_max, outcomes := await self._writer.submit_many(envelopes))):
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
            tries += 1
        unheard = [outcome for outcome in outcomes if _is_unheard(outcome)]
        if unheard:
            raise StoreUnavailable(
                f"{len(unheard)} commands were not recorded: {_cause(unheard[0])}"
            )
        return outcomes


def _tries_max(outcome: Outcome | Failed) -> int:
    """How often to send a command that comes to this: more than once where it may fare better in a
    while.
    """
    match outcome:
        case Failed() | QueueFull():
            return TRIES_MAX if _is_unheard(outcome) else 1
        case Contended():
            return TRIES_MAX
        case LimitReached():
            return LIMIT_TRIES_MAX
        case Done() | Rejection():
            return 1
        case _:
            assert_never(outcome)


def _is_unheard(outcome: Outcome | Failed) -> bool:
    """Whether it says nothing of the command itself: then the whole page is to wait."""
    match outcome:
        case Failed(error):
            return isinstance(error, StoreUnavailable)
        case _:
            return isinstance(outcome, QueueFull)


def _cause(outcome: Outcome | Failed) -> str:
    match outcome:
        case Failed(error):
            return f"its command failed: {_say(error)}"
        case Rejection():
            return f"its command was refused: {outcome.code}: {outcome.detail}"
        case Contended(streams):
            return f"others kept writing to {', '.join(streams)}"
        case Done():
            return "it is done"
        case _:
            assert_never(outcome)


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
