"""The sandbox clock's offset and the deposit indexes: shared by all processes, and no facts of the
ledger.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, Protocol

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "operations.sql").items()
}
INDEXES_A_BLOCK: Final = 50
INDEXES_A_BLOCK_MAX: Final = 1_000


class ClockOffset(Protocol):
    """How many seconds the sandbox is ahead of the real clock. It never goes back."""

    async def get(self) -> int: ...

    async def advance(self, seconds: int) -> int:
        """Move it forward by `seconds`; the offset afterwards. Raises ValueError for a negative
        number.
        """


class PostgresClockOffset:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def get(self) -> int:
        return await _number(self._connections, "clock_offset", {})

    async def advance(self, seconds: int) -> int:
        _forward(seconds)
        return await _number(self._connections, "advance_clock", {"seconds": seconds})


class MemoryClockOffset:
    def __init__(self) -> None:
        self._seconds = 0

    async def get(self) -> int:
        return self._seconds

    async def advance(self, seconds: int) -> int:
        self._seconds += _forward(seconds)
        return self._seconds


class DepositIndexes(Protocol):
    """Numbers for deposit addresses, 0, 1, 2 …, by CAIP-2 chain id.

    Each is given once among all chains of a namespace (`eip155`): their addresses are the same, and
    who pays on the wrong one of them must not pay for somebody else.
    """

    async def take(self, chain_id: str) -> int: ...

    def give_back(self, chain_id: str, index: int) -> None:
        """It was taken and nobody was told of it: there is no address of that number, yet."""


class PostgresDepositIndexes:
    """Takes blocks of them from the database; what is left of a block when the process ends is
    never used. Each block is twice as large as the one before, so that who takes thousands asks
    seldom, and who takes few leaves few behind.
    """

    def __init__(self, connections: Connections, *, block: int = INDEXES_A_BLOCK) -> None:
        self._connections = connections
        self._blocks: defaultdict[str, int] = defaultdict(lambda: block)  # the next, by namespace
        self._left: defaultdict[str, Iterator[int]] = defaultdict(lambda: iter(()))  # by namespace
        self._given_back: defaultdict[str, list[int]] = defaultdict(list)  # by namespace
        self._noted: set[str] = set()  # chains that have their time
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, chain_id: str) -> int:
        namespace = _namespace(chain_id)
        if chain_id in self._noted:  # what is left is given at once, without the lock
            for index in self._there(namespace):
                return index
        async with self._locks[namespace]:
            if chain_id not in self._noted:
                async with self._connections.use() as connection:
                    await connection.execute(_SQL["note_chain"], {"chain_id": chain_id})
                self._noted.add(chain_id)
            for index in self._there(namespace):  # who held the lock before may have filled it
                return index
            return await self._take_block(namespace)

    def give_back(self, chain_id: str, index: int) -> None:
        self._given_back[_namespace(chain_id)].append(index)

    def _there(self, namespace: str) -> Iterator[int]:
        """What can be given without asking the database."""
        given_back = self._given_back[namespace]
        while given_back:
            yield given_back.pop()
        yield from self._left[namespace]

    async def _take_block(self, namespace: str) -> int:
        """The first number of the next block; the others are left."""
        count = self._blocks[namespace]
        wanted = {"namespace": namespace, "count": count}
        end = await _number(self._connections, "take_deposit_indexes", wanted)
        self._left[namespace] = iter(range(end - count + 1, end))
        self._blocks[namespace] = min(2 * count, INDEXES_A_BLOCK_MAX)
        return end - count

    async def since(self, chain_id: str) -> datetime | None:
        """When the first index of a chain was taken, by the database's clock; None if none was."""
        async with self._connections.use() as connection:
            cursor = await connection.execute(_SQL["deposits_since"], {"chain_id": chain_id})
            row = await cursor.fetchone()
        return None if row is None else row[0].astimezone(UTC)


class MemoryDepositIndexes:
    def __init__(self) -> None:
        self._next: defaultdict[str, int] = defaultdict(int)
        self._given_back: defaultdict[str, list[int]] = defaultdict(list)

    def give_back(self, chain_id: str, index: int) -> None:
        self._given_back[_namespace(chain_id)].append(index)

    async def take(self, chain_id: str) -> int:
        namespace = _namespace(chain_id)
        if self._given_back[namespace]:
            return self._given_back[namespace].pop()
        index = self._next[namespace]
        self._next[namespace] += 1
        return index


def _namespace(chain_id: str) -> str:
    return chain_id.partition(":")[0]


async def _number(connections: Connections, name: str, parameters: dict[str, Any]) -> int:
    async with connections.use() as connection:
        row = await (await connection.execute(_SQL[name], parameters)).fetchone()
    assert row is not None, f"{name} always has an answer"
    return int(row[0])


def _forward(seconds: int) -> int:
    if seconds < 0:
        raise ValueError("the sandbox clock only goes forward")
    return seconds
