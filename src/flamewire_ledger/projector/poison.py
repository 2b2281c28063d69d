"""Poison: an event that a projection's statements cannot take. This file holds how it is found and parked.

A batch that fails is halved until the event is alone. It goes to the dead letters with its cause,
and from then on the events of its key wait there behind it, in order, while the other keys go on.
What fails because of the database (connections, locks, a full disk) or because the SQL itself is
wrong is no poison: nothing is parked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg

from flamewire_ledger.projector.apply import apply, key_reader, wanted
from flamewire_ledger.projector.batch import Item
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.checkpoint import Generation, Mark, consumer_of
from flamewire_ledger.projector.connections import WriteConnection
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import RecordedEvent

SQL: Final = by_name(parse_statements(text_beside(__file__, "poison.sql"), "poison.sql"))
POISON_EVENTS_MAX: Final = 100  # in one batch; more, and it is the projection that is wrong
_CAUSE_CHARACTERS_MAX: Final = 500
# Classes of SQLSTATE that speak of the data: cardinality, data, integrity, a limit (an index row
# too long), and what a statement raises by itself.
_POISON_CLASSES: Final = ("21", "22", "23", "54", "P0")


class ProjectionBroken(Exception):
    """A projection stands still: too much of what it reads fails, or its SQL is wrong."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"projection {name} stands still: {cause}")
        self.name = name


def is_poison(error: psycopg.Error) -> bool:
    return (error.sqlstate or "").startswith(_POISON_CLASSES)


def must_go_alone(error: psycopg.Error) -> bool:
    """Whether a batch failed by what is in it, or by the SQL: then who is to blame has to be found."""
    return is_poison(error) or isinstance(error, psycopg.ProgrammingError)


def cause_of(error: psycopg.Error) -> str:
    """What the database said, without the values: those may be somebody's data."""
    said = error.diag.message_primary or type(error).__name__
    column = f" (column {error.diag.column_name})" if error.diag.column_name else ""
    return f"{error.sqlstate}: {said}{column}"[:_CAUSE_CHARACTERS_MAX]


@dataclass(slots=True)
class Parking:
    """What is parked while one batch is applied."""

    projection: Projection
    partition: int
    generation: Generation
    keys: set[str]
    key_of: Callable[[RecordedEvent], str]
    poisoned: int = 0
    letters: list[tuple[RecordedEvent, str, str | None]] = field(default_factory=list)

    def park(self, event: RecordedEvent, cause: str | None) -> None:
        key = self.key_of(event)
        self.keys.add(key)
        self.letters.append((event, key, cause))
        if cause is not None:
            self.poisoned += 1
        if self.poisoned > POISON_EVENTS_MAX:
            raise ProjectionBroken(
                self.projection.name,
                f"more than {POISON_EVENTS_MAX} events of one batch fail, the last with {cause}",
            )


async def apply_or_park(
    connection: WriteConnection,
    projection: Projection,
    items: Sequence[Item],
    mark: Mark,
    partition: int,
    generation: Generation,
) -> int:
    """Apply what can be applied, in the caller's transaction; returns how many events were parked.

    Raises ProjectionBroken when that would be too many, or when it is not the events' fault.
    """
    parking = Parking(projection, partition, generation, set(mark.parked), key_reader(projection))
    todo = [item for item in wanted(projection, items) if item.event.position not in mark.discarded]
    await _try(connection, parking, todo)
    if parking.letters:
        await _write_letters(connection, parking)
    return len(parking.letters)


async def _try(connection: WriteConnection, parking: Parking, items: Sequence[Item]) -> None:
    free = []
    for item in items:
        if parking.keys and parking.key_of(item.event) in parking.keys:
            parking.park(item.event, None)
        else:
            free.append(item)
    if not free:
        return
    try:
        async with connection.transaction():
            await apply(connection, parking.projection, free)
    except psycopg.Error as error:
        if isinstance(error, psycopg.ProgrammingError) and not is_poison(error):
            raise ProjectionBroken(parking.projection.name, cause_of(error)) from error
        if not is_poison(error):
            raise
        if len(free) == 1:
            parking.park(free[0].event, cause_of(error))
            return
        half = len(free) // 2
        await _try(connection, parking, free[:half])
        await _try(connection, parking, free[half:])


async def _write_letters(connection: WriteConnection, parking: Parking) -> None:
    letters = sorted(parking.letters, key=lambda letter: letter[0].position)
    await connection.execute(
        SQL["park"].sql,
        {
            "consumer": consumer_of(parking.projection.name),
            "generation": parking.generation,
            "partition": parking.partition,
            "positions": [event.position for event, _, _ in letters],
            "keys": [key for _, key, _ in letters],
            "streams": [event.stream_id for event, _, _ in letters],
            "types": [event.type for event, _, _ in letters],
            "causes": [cause for _, _, cause in letters],
        },
    )
