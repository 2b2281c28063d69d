"""Events to rows: this file holds how a batch becomes statements, in an order that every key can trust.

Where a projection takes runs, consecutive events of a key that the same statements take form a run,
and the n-th runs of all keys are applied together: each key sees its events in order, and there are
as many statements as the longest chain of runs, not as events.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from psycopg import AsyncConnection

from flamewire_ledger.projector.batch import Item, reading_batch, reading_types, stage
from flamewire_ledger.projector.catalog import ENVELOPE_KEYS, EVERYTHING, Projection
from flamewire_ledger.store.event_store import RecordedEvent


def wanted(projection: Projection, items: Sequence[Item]) -> list[Item]:
    """Those of the types that it reads."""
    reads = projection.reads
    if EVERYTHING in reads:
        return list(items)
    return [item for item in items if item.event.type in reads]


async def apply(
    connection: AsyncConnection[Any], projection: Projection, items: Sequence[Item]
) -> None:
    """Apply events, oldest first, to the tables in the connection's search path.

    In the caller's transaction, which is lost when a statement fails.
    """
    if not items:
        return
    await stage(connection, [projection], items)
    await apply_staged(connection, projection, items, items[0].event.position - 1)


async def apply_staged(
    connection: AsyncConnection[Any], projection: Projection, items: Sequence[Item], after: int
) -> None:
    """Apply those of the staged events that are behind a position; `items` are they."""
    for sql, types, positions in steps(projection, wanted(projection, items)):
        given = {"types": types, "after": after, "positions": positions}
        await connection.execute(reading_batch(sql), given)


async def apply_types(
    connection: AsyncConnection[Any],
    projection: Projection,
    present: Collection[str],
    after: int,
    *,
    prepare: bool,
) -> None:
    """The same for one that takes batches, when all that is known of the events is their types."""
    for index in taking(projection, present):
        rule = projection.rules[index]
        await connection.execute(
            reading_types(rule.sql, rule.types), {"after": after}, prepare=prepare
        )


# A statement, the types it takes (None: all), and the positions when not all of the batch are meant.
Step: TypeAlias = tuple[str, list[str] | None, list[int] | None]


def steps(projection: Projection, items: Sequence[Item]) -> Iterator[Step]:
    """The statements to execute, in their order."""
    if projection.takes == "batches":
        for index in taking(projection, {item.event.type for item in items}):
            yield *_statement(projection, index), None
        return
    key_of = key_reader(projection)
    rounds: list[dict[tuple[int, ...], list[int]]] = []
    last_run: dict[str, tuple[int, tuple[int, ...]]] = {}
    takers = _takers(projection)
    for item in items:
        kind = takers(item.event.type)
        key = key_of(item.event)
        number, last_kind = last_run.get(key, (-1, ()))
        if kind != last_kind:
            number += 1
            last_run[key] = (number, kind)
        if number == len(rounds):
            rounds.append({})
        rounds[number].setdefault(kind, []).append(item.event.position)
    for together in rounds:
        for kind in sorted(together):
            for index in kind:
                yield *_statement(projection, index), together[kind]


def taking(projection: Projection, present: Collection[str]) -> list[int]:
    """The numbers of the statements that take any of these types: no other is sent."""
    return [
        index
        for index, rule in enumerate(projection.rules)
        if present and (EVERYTHING in rule.types or not rule.types.isdisjoint(present))
    ]


def _statement(projection: Projection, index: int) -> tuple[str, list[str] | None]:
    rule = projection.rules[index]
    return rule.sql, None if EVERYTHING in rule.types else sorted(rule.types)


def _takers(projection: Projection) -> Callable[[str], tuple[int, ...]]:
    """Which statements take an event type, by their numbers."""
    known: dict[str, tuple[int, ...]] = {}

    def takers(event_type: str) -> tuple[int, ...]:
        if event_type not in known:
            known[event_type] = tuple(
                index
                for index, rule in enumerate(projection.rules)
                if event_type in rule.types or EVERYTHING in rule.types
            )
        return known[event_type]

    return takers


def key_reader(projection: Projection) -> Callable[[RecordedEvent], str]:
    """What tells the keys of a projection apart: a name in the envelope, or a field of the data.

    An event whose data cannot be read has its stream for a key, so that it can be parked.
    """
    if projection.key in ENVELOPE_KEYS:
        name = projection.key
        return lambda event: str(getattr(event, name))
    shape = msgspec.defstruct("Keyed", [("key", str, msgspec.field(name=projection.key))])
    decode = msgspec.json.Decoder(shape).decode

    def key_of(event: RecordedEvent) -> str:
        try:
            return str(decode(event.data).key)  # type: ignore[attr-defined]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return event.stream_id

    return key_of
