"""How far a generation of a projection has come: locked while its rows change, moved with them.

The row's lock is what keeps two projector processes, a rebuild's switch and a retried dead letter
from applying to the same tables at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from psycopg import AsyncCursor

from flamewire_ledger.projector.connections import WriteConnection
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside

Generation: TypeAlias = Literal["live", "next", "diff"]
SQL: Final = by_name(parse_statements(text_beside(__file__, "checkpoint.sql"), "checkpoint.sql"))


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a projection stands. `fingerprint` is of the definition that built the live tables.

    Events of `parked` keys wait in the dead letters; `discarded` positions are left out.
    """

    position: int
    fingerprint: str | None
    parked: frozenset[str] = field(default_factory=frozenset)
    discarded: frozenset[int] = field(default_factory=frozenset)

    @property
    def is_plain(self) -> bool:
        return not self.parked and not self.discarded


def consumer_of(name: str) -> str:
    """The name of a projection among all that have dead letters."""
    return f"projection:{name}"


async def lock_marks(
    connection: WriteConnection, names: Sequence[str], partition: int, generation: Generation
) -> Mapping[str, Mark]:
    """Lock the checkpoints, in the order of their names, until the transaction ends.

    One that is missing was not built.
    """
    async with connection.pipeline():
        return await marks_of(await begin_locking(connection, names, partition, generation))


async def begin_locking(
    connection: WriteConnection, names: Sequence[str], partition: int, generation: Generation
) -> AsyncCursor[Any]:
    """The first half of `lock_marks`: in a pipeline, the answer is not waited for.

    What is said of them is read by a statement of its own, after the lock: the one that waited for
    the lock would see what was there when it began to wait.
    """
    given = {"names": list(names), "partition": partition, "generation": generation}
    await connection.execute(SQL["lock_checkpoints"].sql, given, prepare=True)
    return await connection.execute(SQL["marks"].sql, given, prepare=True)


async def marks_of(asked: AsyncCursor[Any]) -> Mapping[str, Mark]:
    """The second half: what was answered, by the projection's name."""
    return {
        name: Mark(position, fingerprint, frozenset(parked), frozenset(discarded))
        for name, position, fingerprint, parked, discarded in await asked.fetchall()
    }


async def move_marks(
    connection: WriteConnection,
    positions: Mapping[str, int],
    partition: int,
    generation: Generation,
) -> None:
    """Move checkpoints that `lock_marks` locked in this transaction."""
    if positions:
        await connection.execute(
            SQL["move_checkpoints"].sql,
            {
                "names": list(positions),
                "positions": list(positions.values()),
                "partition": partition,
                "generation": generation,
            },
            prepare=True,
        )
