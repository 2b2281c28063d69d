"""Shares: which partitions a process works on, among all processes of its group (projectors, relays,
reactors).

Each holds as many as everybody else, give or take one, and a partition has one holder. A process
that comes takes over some, one that dies leaves its own to the others within a second or two. What
a newcomer would get wrong: this is about load, not about correctness. Two may believe in the same
partition for a moment; checkpoints in the same transaction as the work keep that harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final, Protocol

import psycopg

from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.ending import was_asked_to_stop
from flamewire_ledger.store.statements import read_statements

_log = logging.getLogger(__name__)
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "shares.sql").items()
}
LOOK_SECONDS: Final = 1.0  # between two looks at who is there
_ANSWER_SECONDS_MAX: Final = 10.0


class Shares(Protocol):
    """The partitions at hand; they change while one works."""

    @property
    def held(self) -> frozenset[int]: ...

    async def other_than(self, seen: frozenset[int]) -> frozenset[int]:
        """Wait until it is not these any more; what is held then."""

    async def first(self) -> frozenset[int]:
        """What is held after the first look at who is there: none for one that stands by."""


class AllOfThem:
    """Everything is ours: one process, or tests."""

    def __init__(self, partitions: int) -> None:
        self._held = frozenset(range(partitions))

    @property
    def held(self) -> frozenset[int]:
        return self._held

    async def other_than(self, seen: frozenset[int]) -> frozenset[int]:
        if seen == self._held:
            await asyncio.Event().wait()
        return self._held

    async def first(self) -> frozenset[int]:
        return self._held


async def work_on(shares: Shares, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Have `work` running for each partition that is held, until cancelled. It is cancelled when the
    partition goes to somebody else. Work that is cancelled by anybody else is a fault, and said:
    a group of tasks would take it for an end, and the partition would lie there.
    """

    async def watched(partition: int) -> None:
        try:
            await work(partition)
        except asyncio.CancelledError:
            if was_asked_to_stop():
                raise
            raise RuntimeError(
                f"the work on partition {partition} was cancelled from within"
            ) from None

    working: dict[int, asyncio.Task[None]] = {}
    held: frozenset[int] = frozenset()
    async with asyncio.TaskGroup() as tasks:
        while True:
            for partition in held - working.keys():
                working[partition] = tasks.create_task(watched(partition))
            for partition in working.keys() - held:
                working.pop(partition).cancel()
            held = await shares.other_than(held)


class PostgresShares:
    """Advisory locks on a connection of its own: who dies lets go of them. `run` has to be running."""

    def __init__(
        self,
        connections: Connections,
        group: str,
        partitions: int,
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """The connection is beyond those that are shared, and is a session's: no pooling proxy."""
        self._connections = connections
        self._group = f"flamewire share {group}"
        self._partitions = partitions
        self._look_seconds = look_seconds
        self._held: frozenset[int] = frozenset()
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()

    @property
    def held(self) -> frozenset[int]:
        return self._held

    async def other_than(self, seen: frozenset[int]) -> frozenset[int]:
        while self._held == seen:
            changed = self._changed
            await changed.wait()
        return self._held

    async def first(self) -> frozenset[int]:
        await self._looked.wait()
        return self._held

    async def run(self) -> None:
        """Keep to the fair share until cancelled; without the database nothing is held."""
        while True:
            try:
                async with self._joined() as connection:
                    while True:
                        await self._look(connection)
                        self._looked.set()
                        await asyncio.sleep(self._look_seconds)
            except (psycopg.Error, TimeoutError) as error:
                _log.warning("%s: the shares are taken anew: %s", self._group, error)
            await asyncio.sleep(self._look_seconds)

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[Connection]:
        connection = await self._connections.connect()
        try:
            await _ask(connection, "notice_soon")
            await _ask(connection, "join", group=self._group)
            yield connection
        finally:
            self._hold(())
            await connection.close()

    async def _look(self, connection: Connection) -> None:
        """Let go of what is too much, take what is free, up to the quota."""
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            members = [own for (own,) in await _ask(connection, "members", group=self._group)]
            quota = quota_of(members.index(True), len(members), self._partitions)
            held = sorted(self._held)
            if held[quota:]:
                self._hold(held[:quota])  # before the lock goes: the next holder begins at once
                for partition in held[quota:]:
                    await _ask(connection, "unlock", group=self._group, partition=partition)
            for partition in range(self._partitions):
                if len(self._held) >= quota:
                    break
                if partition not in self._held and await self._take(connection, partition):
                    self._hold({*self._held, partition})

    async def _take(self, connection: Connection, partition: int) -> bool:
        ((taken,),) = await _ask(connection, "try_lock", group=self._group, partition=partition)
        return bool(taken)

    def _hold(self, partitions: Iterable[int]) -> None:
        held = frozenset(partitions)
        if held != self._held:
            self._held = held
            self._changed.set()
            self._changed = asyncio.Event()


def quota_of(rank: int, members: int, partitions: int) -> int:
    """How many partitions the member of this rank may hold; the quotas add up to all of them."""
    return partitions // members + (rank < partitions % members)


async def _ask(connection: Connection, name: str, **given: Any) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(_SQL[name], given)
    return await cursor.fetchall()
