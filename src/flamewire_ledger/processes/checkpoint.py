"""How far each process has come, and what it could not handle: the Protocols, in Postgres, in
memory.

A checkpoint moves only after the commands of everything before it are recorded. Losing one is
harmless: the process sees old events again, and its commands are already there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol

from flamewire_ledger.processes.reaction import Failure
from flamewire_ledger.processes.same_server import SameServer
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = read_statements(files(__package__) / "checkpoint.sql")
# More than this aside is a fault of another kind; what is beyond is tried, and parked.
_PARKED_MAX: Final = 10_000
_DUE_MAX: Final = 100
_CONSUMER: Final = "process:"


class Checkpoints(Protocol):
    """Positions by process and partition. Both methods may raise StoreUnavailable."""

    async def load(self, partition: int) -> Mapping[str, int]:
        """The last position each process is done with; a process that is missing begins at 0."""

    async def save(self, partition: int, positions: Mapping[str, int]) -> None:
        """Move the checkpoints forward. One that is further already stays where it is."""


@dataclass(frozen=True, slots=True)
class Parked:
    """`waiting`: the first position that waits, by (process, stream). `discarded`: (process,
    position).
    """

    waiting: Mapping[tuple[str, str], int]
    discarded: frozenset[tuple[str, int]]


class DeadLetters(Protocol):
    """Events that a process could not handle. Those of the same stream wait behind them."""

    async def parked(self, partition: int) -> Parked:
        """What is put aside in a partition."""

    async def due(self, partition: int) -> Sequence[tuple[str, int]]:
        """What should be tried again: (process, position), the first of its stream each."""

    async def park(self, failures: Sequence[Failure]) -> None:
        """Keep them, each once however often it is parked; its cause is the latest. No cause: it
        waits.
        """

    async def release(self, process: str, partition: int, position: int) -> None:
        """It has been handled, or given up."""


class PostgresCheckpoints:
    """Checkpoints in the table process_checkpoints.

    Another server than the time before is told as StoreUnavailable, and nothing is saved there:
    what was seen on the one may be nowhere on the other.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._servers = SameServer()

    async def load(self, partition: int) -> Mapping[str, int]:
        async with self._connections.use() as connection:
            found = await connection.execute(_SQL["load"].query, {"partition": partition})
            rows = await found.fetchall()
        self._servers.check(partition, rows[0][0])
        return {name: position for _, name, position in rows if name is not None}

    async def save(self, partition: int, positions: Mapping[str, int]) -> None:
        moved = {
            "partition": partition,
            "names": list(positions),
            "positions": list(positions.values()),
            "began": self._servers.began(partition),
        }
        async with self._connections.use() as connection:
            ((began,),) = await (await connection.execute(_SQL["save"].query, moved)).fetchall()
        self._servers.check(partition, began)


class PostgresDeadLetters:
    """Dead letters in the table that projections use as well, as the consumer `process:NAME`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def parked(self, partition: int) -> Parked:
        waiting: dict[tuple[str, str], int] = {}
        discarded: set[tuple[str, int]] = set()
        given = {"partition": partition, "limit": _PARKED_MAX}
        async with self._connections.use() as connection:
            rows = await connection.execute(_SQL["parked"].query, given)
            for consumer, stream_id, position, is_discarded in await rows.fetchall():
                process = consumer.removeprefix(_CONSUMER)
                if is_discarded:
                    discarded.add((process, position))
                else:
                    waiting.setdefault((process, stream_id), position)
        return Parked(waiting, frozenset(discarded))

    async def due(self, partition: int) -> Sequence[tuple[str, int]]:
        given = {"partition": partition, "limit": _DUE_MAX}
        async with self._connections.use() as connection:
            rows = await connection.execute(_SQL["due"].query, given)
            return [(it.removeprefix(_CONSUMER), at) for it, at in await rows.fetchall()]

    async def park(self, failures: Sequence[Failure]) -> None:
        async with self._connections.use() as connection, connection.cursor() as cursor:
            await cursor.executemany(
                _SQL["park"].query,
                [
                    {
                        "consumer": _CONSUMER + failure.process,
                        "partition": failure.event.partition,
                        "position": failure.event.position,
                        "key": failure.event.stream_id,
                        "type": failure.event.type,
                        "cause": failure.cause,
                    }
                    for failure in failures
                ],
            )

    async def release(self, process: str, partition: int, position: int) -> None:
        given = {"consumer": _CONSUMER + process, "partition": partition, "position": position}
        async with self._connections.use() as connection:
            await connection.execute(_SQL["release"].query, given)


class MemoryCheckpoints:
    """Checkpoints for tests."""

    def __init__(self) -> None:
        self._positions: dict[int, dict[str, int]] = {}

    async def load(self, partition: int) -> Mapping[str, int]:
        return dict(self._positions.get(partition, {}))

    async def save(self, partition: int, positions: Mapping[str, int]) -> None:
        kept = self._positions.setdefault(partition, {})
        for name, position in positions.items():
            kept[name] = max(position, kept.get(name, 0))


class MemoryDeadLetters:
    """Dead letters for tests; `letters` has them by (process, partition, position)."""

    def __init__(self) -> None:
        self.letters: dict[tuple[str, int, int], Failure] = {}

    async def parked(self, partition: int) -> Parked:
        waiting: dict[tuple[str, str], int] = {}
        for (process, its_partition, position), failure in sorted(self.letters.items()):
            if its_partition == partition:
                waiting.setdefault((process, failure.event.stream_id), position)
        return Parked(waiting, frozenset())

    async def due(self, partition: int) -> Sequence[tuple[str, int]]:
        waiting = (await self.parked(partition)).waiting
        return [(process, position) for (process, _), position in waiting.items()]

    async def park(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            event = failure.event
            self.letters[failure.process, event.partition, event.position] = failure

    async def release(self, process: str, partition: int, position: int) -> None:
        self.letters.pop((process, partition, position), None)
