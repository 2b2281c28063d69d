"""How far a generation of a projection has come: locked while its rows change, moved with them.

The row's lock is what keeps two projector processes, a rebuild's switch and a retried dead letter
from applying to the same tables at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

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

    One that is missing was not built. What is parked is read by a statement of its own, after the
    lock: the one that waited for the lock would see what was there when it began to wait.
    """
    given = {"names": list(names), "partition": partition, "generation": generation}
    consumers = {**given, "consumers": [consumer_of(name) for name in names]}
    async with connection.pipeline():
        locked = await connection.execute(SQL["lock_checkpoints"].sql, given)
        built = await connection.execute(SQL["fingerprints"].sql, given)
        letters = await connection.execute(SQL["parked_keys"].sql, consumers)
        skipped = await connection.execute(SQL["discarded_positions"].sql, consumers)
        positions = dict(await locked.fetchall())
        fingerprints = dict(await built.fetchall())
        parked = await letters.fetchall()
        discarded = await skipped.fetchall()
    return {
        name: Mark(
            position,
            fingerprints.get(name),
            frozenset(key for consumer, key in parked if consumer == consumer_of(name)),
            frozenset(at for consumer, at in discarded if consumer == consumer_of(name)),
        )
        for name, position in positions.items()
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
        )
