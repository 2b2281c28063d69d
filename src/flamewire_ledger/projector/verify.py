"""Verify: what must be true of the log and the read models at every moment, checked from event 1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from flamewire_ledger.projector.alone import CARRIED_EVENTS_MAX, read_ahead
from flamewire_ledger.projector.catalog import Catalog, Projection
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.difference import NothingToCompare, difference
from flamewire_ledger.projector.generations import RebuildRunning
from flamewire_ledger.projector.rebuild import OnProgress, heads
from flamewire_ledger.queries.statements import queries_of
from flamewire_ledger.store.event_store import EventStore, RecordedEvent

_FAULTS_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Check:
    """Whether something is so, and of how many things it was asked."""

    name: str
    count: int
    ok: bool
    detail: str


class _Amount(msgspec.Struct):
    asset: str
    units: str


class _Posting(msgspec.Struct):
    debit: str
    credit: str
    amount: _Amount


class _Posted(msgspec.Struct):
    postings: list[_Posting] = []


_decode_posted: Final = msgspec.json.Decoder(_Posted).decode


@dataclass(slots=True)
class _Faults:
    """How often something is not so, and the first times."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        self.count += 1
        if len(self.shown) < _FAULTS_SHOWN_MAX:
            self.shown.append(fault)

    @property
    def detail(self) -> str:
        more = f" … and {self.count - len(self.shown)} more"
        return "; ".join(self.shown) + (more if self.count > len(self.shown) else "")


@dataclass(slots=True)
class _Scan:
    """One pass over the log. It remembers a number for each stream, and nothing of the events."""

    events: int = 0
    postings: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    position_faults: _Faults = field(default_factory=_Faults)
    version_faults: _Faults = field(default_factory=_Faults)
    posting_faults: _Faults = field(default_factory=_Faults)

    def take(self, event: RecordedEvent) -> None:
        self.events += 1
        expected = self.versions.get(event.stream_id, 0) + 1
        if event.version != expected:
            self.version_faults.add(
                f"{event.stream_id} has version {event.version} where {expected} belongs"
            )
        self.versions[event.stream_id] = event.version
        if b'"postings"' in event.data:
            self._take_postings(event)

    def _take_postings(self, event: RecordedEvent) -> None:
        try:
            posted = _decode_posted(event.data)
        except msgspec.MsgspecError as error:
            self.posting_faults.add(f"position {event.position} cannot be read: {error}")
            return
        for posting in posted.postings:
            self.postings += 1
            if posting.debit == posting.credit or not posting.amount.units.isdecimal():
                self.posting_faults.add(f"position {event.position} has a posting of one side")


async def verify(
    pool: WritePool, store: EventStore, catalog: Catalog, on_progress: OnProgress | None = None
) -> AsyncIterator[Check]:
    """Every check, as it is done. The read models are compared at where each of them is."""
    goal = await heads(store)
    scan = _Scan()
    total = sum(goal.values()) * (1 + len(catalog))
    for partition, until in goal.items():
        at = 0
        async for stretch in read_ahead(store, partition, 0, until, CARRIED_EVENTS_MAX):
            for item in stretch.items:
                if item.event.position != at + 1:
                    scan.position_faults.add(
                        f"after {at} of partition {partition} comes {item.event.position}"
                    )
                at = item.event.position
                scan.take(item.event)
            if on_progress is not None:
                on_progress(scan.events, total)
        if at != until:
            scan.position_faults.add(f"partition {partition} ends at {at}, its head says {until}")
    yield _check("positions are gapless", scan.events, scan.position_faults)
    yield _check("versions are contiguous", len(scan.versions), scan.version_faults)
    yield _check("postings have two sides", scan.postings, scan.posting_faults)
    yield await _books(pool)
    for number, projection in enumerate(catalog, 1):
        base = scan.events * number

        def report(done: int, _: int, base: int = base) -> None:
            if on_progress is not None:
                on_progress(min(base + done, total), total)

        yield await _read_model(pool, store, projection, report)


def _check(name: str, count: int, faults: _Faults) -> Check:
    return Check(name, count, faults.count == 0, faults.detail)


async def _books(pool: WritePool) -> Check:
    """Debits equal credits, for every merchant and asset, in the live balances."""
    statement = queries_of("account_balance")["books_out_of_balance"]
    faults = _Faults()
    async with pool.connection() as connection:
        cursor = await connection.execute(statement.sql, {"limit": 100})
        for merchant_id, asset, debit, credit in await cursor.fetchall():
            faults.add(f"{merchant_id} has {debit} {asset} debited and {credit} credited")
        counted = await connection.execute(queries_of("account_balance")["books"].sql)
        row = await counted.fetchone()
    return _check("debits equal credits", int(row[0]) if row else 0, faults)


async def _read_model(
    pool: WritePool, store: EventStore, projection: Projection, on_progress: OnProgress
) -> Check:
    name = f"{projection.name} equals its rebuild"
    try:
        found = await difference(pool, store, projection, on_progress=on_progress)
    except (NothingToCompare, RebuildRunning) as error:
        return Check(name, 0, False, str(error))
    differing = {table: count for table, count in found.differing.items() if count}
    detail = ", ".join(f"{count} rows of {table} differ" for table, count in differing.items())
    return Check(name, found.compared, found.is_equal, detail)
