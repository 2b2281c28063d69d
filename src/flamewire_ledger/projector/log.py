"""The log beside us: where events and read models are in one database, a batch is staged from table to
table, and Python sees nothing of it but how far it goes and which types are in it.

It is only a faster way to the same rows. Whatever is special about a batch goes the other way, over
the store: an event that cannot be read, something parked, events that are in the archives by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from psycopg import AsyncConnection, AsyncCursor, sql
from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.projector.batch import SQL
from flamewire_ledger.projector.catalog import EVERYTHING, Projection, Rule
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.store.event_store import EventStore


class NotInLog(Exception):
    """Some of the events are not in the table (any more). The store has them, if anybody does."""


@runtime_checkable
class InPostgres(Protocol):
    """A store that is tables of a database."""

    @property
    def database_url(self) -> str: ...


def is_beside(store: EventStore, pool: WritePool) -> bool:
    """Whether the log is in the database that the pool writes to: the very same address, to be sure."""
    ours = pool.conninfo
    if not isinstance(store, InPostgres) or not isinstance(ours, str):
        return False
    return conninfo_to_dict(store.database_url) == conninfo_to_dict(ours)


def can_stage(projection: Projection) -> bool:
    """Whether its statements take what there is; runs of a key are told apart in Python."""
    return projection.takes == "batches"


@dataclass(frozen=True, slots=True)
class Staged:
    """All events behind a position up to `last` are staged, as far as anybody reads them."""

    last: int
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Staging:
    """The question for it, which in a pipeline is not answered before it is asked for."""

    cursor: AsyncCursor[Any]
    after: int

    async def answer(self) -> Staged:
        """Raises NotInLog unless every position is there, one after the other."""
        row = await self.cursor.fetchone()
        assert row is not None
        events, last, types = row
        if events != last - self.after:
            raise NotInLog(f"{last - self.after - events} events behind {self.after} are elsewhere")
        return Staged(last, frozenset(types))


async def begin_staging(
    connection: AsyncConnection[Any],
    projections: Sequence[Projection],
    partition: int,
    after: int,
    until: int,
    *,
    prepare: bool,
) -> Staging:
    """Make what is in the log behind `after`, up to `until`, the batch, until the transaction ends.

    Once a transaction. What an event's data or metadata are is not asked where nobody looks at them.
    """
    statement = _staging(tuple(rule for projection in projections for rule in projection.rules))
    given = {"partition": partition, "after": after, "until": until}
    return Staging(await connection.execute(statement, given, prepare=prepare), after)


@lru_cache(maxsize=256)
def _staging(rules: tuple[Rule, ...]) -> bytes:
    """The types are written into the statement: they are the same for every batch of a lane."""
    return (
        sql.SQL(SQL["stage_log"].sql)
        .format(
            types=_types(rules),
            metadata_types=_types([rule for rule in rules if rule.takes_metadata]),
            data_types=_types([rule for rule in rules if rule.takes_data]),
        )
        .as_bytes()
    )


def _types(rules: Sequence[Rule]) -> sql.Literal:
    """Those that any of them takes; NULL for all that there are."""
    types = frozenset().union(*(rule.types for rule in rules))
    return sql.Literal(None if EVERYTHING in types else sorted(types))
