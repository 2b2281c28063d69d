"""The supervisor: keeps the members of a ledger running, passes on what they say, stops them in order.

A member that ends is forked again, later and later, and said so; one that keeps ending is given up,
and then all of them stop: half a ledger would look like a whole one. What no second try can mend (a
wrong setting) is given up at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from flamewire_ledger.api.parts import Check
from flamewire_ledger.cli.faults import SERVICE_MISSING, CommandError
from flamewire_ledger.cli.forking import Forker, ForkerLost
from flamewire_ledger.cli.line import Line, LineLost
from flamewire_ledger.cli.members import (
    CHECKS,
    CHECKS_OF_ALL,
    FAILED,
    METRICS_OF_ALL,
    OPEN,
    READY,
    SAMPLES,
    STOP,
    Kind,
    from_json,
    to_json,
)
from flamewire_ledger.cli.output import say
from flamewire_ledger.telemetry import Sample, Totals

DEATHS_MAX: Final = 5  # within DEATHS_SECONDS
DEATHS_SECONDS: Final = 60.0
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_SERVICE: Final = 1.0
_ASK_SECONDS_MAX: Final = 1.5  # less than whoever asked us waits
# Nobody is let in any more, then the readers stop; each writer finishes what it was given.
_STOP_ORDER: Final[tuple[tuple[Kind, float], ...]] = (("api", 15.0), ("backstage", 10.0))
# All tries of one that never lives fall into the time in which they are counted.
assert _WAIT_SECONDS_FIRST * 2**DEATHS_MAX < DEATHS_SECONDS / 2


@dataclass(slots=True)
class Member:
    """One place in the ledger, and whatever process fills it now."""

    name: str
    kind: Kind
    line: Line | None = None  # of a process that answers
    is_ready: bool = False
    was_ready: bool = False  # at any time: what it needs was there once
    failure: CommandError | None = None
    died_at: deque[float] = field(default_factory=deque)
    counted: Sequence[Sample] = ()  # what was last shown of it


class Supervisor:
    """`run` keeps all members alive until it is told to stop, or one is given up."""

    def __init__(self, forker: Forker, url: str, kinds: Sequence[Kind]) -> None:
        """`kinds` has one entry for each process; `url` is the database's."""
        self._forker = forker
        self._url = url
        self._members = [Member(name, kind) for name, kind in _named(kinds)]
        self._ended = Totals()  # what processes had counted that are no more
        self._all_ready = asyncio.Event()
        self._is_stopping = False

    async def run(
        self,
        stop: asyncio.Event,
        on_ready: Callable[[], Awaitable[None]],
        listener: socket.socket,
    ) -> None:
        """`on_ready` is called once, when all are up. Raises CommandError when one is given up.

        The members' `listener` is closed when they stop: a copy that stays open would keep callers
        waiting.
        """
        keepers = [asyncio.create_task(self._keep(member)) for member in self._members]
        stopping = asyncio.create_task(stop.wait())
        announcing = asyncio.create_task(self._announce(on_ready))
        tasks: set[asyncio.Task[Any]] = {stopping, announcing, *keepers}
        try:
            watched = tasks
            while not stopping.done():
                done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            listener.close()
            await self._stop(keepers)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._forker.end()

    async def _announce(self, on_ready: Callable[[], Awaitable[None]]) -> None:
        await self._all_ready.wait()
        await on_ready()

    # Keeping them alive.

    async def _keep(self, member: Member) -> None:
        while True:
            await self._fill(member)
            if self._is_stopping:
                return
            wait_seconds = self._patience(member, asyncio.get_running_loop().time())
            why = f": {member.failure}" if member.failure else " unexpectedly."
            say(f"The {member.name} process ended{why} Starting it again.")
            await asyncio.sleep(wait_seconds)

    async def _fill(self, member: Member) -> None:
        """Fork a process for this place, and come back when it is gone."""
        try:
            _, end = self._forker.fork({"kind": member.kind, "url": self._url})
        except ForkerLost:
            raise CommandError(
                "The process that starts the others was ended: start this ledger again.",
                SERVICE_MISSING,
            ) from None
        line = await Line.open(end)
        member.failure = None
        line.hears(OPEN, lambda _: self._opened(member, line))
        line.hears(READY, lambda _: self._became_ready(member))
        line.hears(FAILED, lambda said: self._failed(member, said))
        line.answers(CHECKS_OF_ALL, self._checks)
        line.answers(METRICS_OF_ALL, self._metrics)
        try:
            await line.run()
        finally:
            line.close()
            member.line, member.is_ready = None, False
            self._ended.add_ended(member.counted)
            member.counted = ()

    def _opened(self, member: Member, line: Line) -> None:
        member.line = line

    def _became_ready(self, member: Member) -> None:
        member.is_ready = member.was_ready = True
        if all(each.is_ready for each in self._members):
            self._all_ready.set()

    def _failed(self, member: Member, said: Sequence[Any]) -> None:
        member.failure = CommandError(str(said[0]), int(said[1]))

    def _patience(self, member: Member, now: float) -> float:
        """How long to wait before the next try; raises CommandError when there is to be none."""
        failure = member.failure
        if failure is not None:
            if failure.exit_code != SERVICE_MISSING or not member.was_ready:
                raise failure
            # What it needs is away and was there before: that is not its own fault.
            return _WAIT_SECONDS_SERVICE
        died_at = member.died_at
        died_at.append(now)
        while died_at[0] < now - DEATHS_SECONDS:
            died_at.popleft()
        if len(died_at) >= DEATHS_MAX:
            raise CommandError(
                f"The {member.name} process ended {DEATHS_MAX} times within"
                f" {DEATHS_SECONDS:.0f} seconds and is given up, and the ledger with it:"
                " what it said is above.",
                SERVICE_MISSING,
            )
        return _WAIT_SECONDS_FIRST * float(2 ** (len(died_at) - 1))

    # Passing on what they say.

    async def _checks(self) -> object:
        """What every member says of itself, as if it were one process. A check that several make is
        good when it is for all of them.
        """
        together: dict[str, Check] = {}
        for checks in await asyncio.gather(*map(_checks_of, self._members)):
            for check in checks:
                before = together.get(check.name, check)
                details = {**before.details, **check.details}
                is_ready = before.is_ready and check.is_ready
                together[check.name] = Check(check.name, is_ready, details)
        return to_json(list(together.values()))

    async def _metrics(self) -> object:
        totals = Totals()
        for member in self._members:
            if member.line is not None:
                with suppress(LineLost):  # then what it said last stands
                    member.counted = await member.line.ask(SAMPLES, _ASK_SECONDS_MAX)
            totals.add(member.counted)
        totals.add(self._ended.samples())
        return totals.render().decode()

    # Stopping.

    async def _stop(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """One kind after the other, each for a bounded time; who is late is ended with the forker."""
        self._is_stopping = True
        self._forker.close_listener()
        for kind, seconds in _STOP_ORDER:
            leaving = []
            for member, keeper in zip(self._members, keepers, strict=True):
                if member.kind != kind or keeper.done():
                    continue
                if member.line is not None:
                    member.line.tell(STOP)
                    leaving.append(keeper)
                else:
                    keeper.cancel()  # it is between two processes, or its process has not begun
            if leaving:
                await asyncio.wait(leaving, timeout=seconds)


def _named(kinds: Sequence[Kind]) -> list[tuple[str, Kind]]:
    """Each with a name: its kind, and a number where there are several of a kind."""
    counts: dict[Kind, int] = {}
    named = []
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
        is_alone = kinds.count(kind) == 1
        named.append((str(kind) if is_alone else f"{kind} {counts[kind]}", kind))
    return named


async def _checks_of(member: Member) -> Sequence[Check]:
    if member.line is None:
        return [Check(member.name, False, {"reason": "its process is being started"})]
    try:
        return from_json(await member.line.ask(CHECKS, _ASK_SECONDS_MAX))
    except LineLost:
        return [Check(member.name, False, {"reason": "its process does not answer"})]
