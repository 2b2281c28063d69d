"""Events that are staged from table to table give the rows that carried ones do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flamewire_ledger.projector import lane as lanes
from flamewire_ledger.projector.alone import Stretch, catch_up
from flamewire_ledger.projector.catalog import Catalog, load_catalog
from flamewire_ledger.projector.connections import WriteConnection, WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.dead_letters import DeadLetters
from flamewire_ledger.projector.difference import difference
from flamewire_ledger.projector.lane import take_from_log
from flamewire_ledger.projector.log import NotInLog, begin_staging, can_stage, is_beside
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.queries.plans import Plans
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.notes import FILES, NoteChanged, NoteWritten, notes, only, rows, write
from tests.projector.stories import NOON, Stories, record
from tests.projector.test_consume import News, Paper, position_of, until
from tests.services.postgres import Databases

CATALOG = load_catalog(Codec().classes)
BATCHES = FILES["projection.toml"].replace('key = "note_id"', 'key = "note_id"\ntakes = "batches"')


def batches_of_notes(folder: Path, **files: str) -> Catalog:
    """The tests' projection, as one that takes whatever there is."""
    return notes(folder, projection_toml=BATCHES, **files)


class Elsewhere:
    """A store as a projector sees it that does not know where it is: events have to be carried."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name == "database_url":
            raise AttributeError(name)
        return getattr(self._store, name)


class Archived(Elsewhere):
    """A store whose oldest events are in no table any more."""

    def __init__(self, store: PostgresEventStore, kept: Sequence[RecordedEvent]) -> None:
        super().__init__(store)
        self._kept = kept

    @property
    def database_url(self) -> str:
        return self._store.database_url

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        last = len(self._kept) if until is None else until
        return [event for event in self._kept if after < event.position <= last][:limit]


@pytest.fixture
async def log(ledger_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(ledger_url) as store:
        yield store


@pytest.fixture
def other_url(databases: Databases, ledger_template: str) -> Iterator[str]:
    url = databases.create(template=ledger_template)
    yield url
    databases.drop(url)


async def _contents(pool: WritePool, catalog: Catalog) -> dict[str, list[Any]]:
    """Every row of every live table."""
    found = {}
    async with pool.connection() as connection:
        for table in (table for projection in catalog for table in projection.tables):
            sql = f"SELECT to_jsonb(t)::text FROM read_models.{table} AS t ORDER BY 1"
            found[table] = await (await connection.execute(sql)).fetchall()  # type: ignore[arg-type]
    return found


def test_what_is_read_with_every_call_and_payment_can_be_staged() -> None:
    """Runs of a key pass through Python: only where facts are few and their order is the matter."""
    told_in_runs = {projection.name for projection in CATALOG if not can_stage(projection)}
    assert told_in_runs <= {"reconciliations", "top_ups", "webhook_endpoints"}


async def test_only_the_very_same_database_is_beside(
    log: PostgresEventStore, pool: WritePool, other_url: str
) -> None:
    assert is_beside(log, pool)
    assert not is_beside(MemoryEventStore(lambda: NOON), pool)
    async with write_pool(other_url) as other:
        assert not is_beside(log, other)


@pytest.mark.parametrize("size", [1, 7, 300, 2_000])
async def test_staged_and_carried_events_become_the_same_rows(
    log: PostgresEventStore, pool: WritePool, other_url: str, size: int
) -> None:
    """Live in lanes, caught up alone, and rebuilt: on both roads."""
    empty = MemoryEventStore(lambda: NOON)
    async with write_pool(other_url) as carried:
        for projection in CATALOG:
            await rebuild(pool, empty, projection)
            await rebuild(carried, empty, projection)
    await record(log, Stories(size).tell({1: 40, 7: 150}.get(size, 500)))
    head = await log.head(0)
    async with write_pool(other_url) as carried:
        for projection in CATALOG:
            await catch_up(carried, Elsewhere(log), projection, 0, head, events_max=size)  # type: ignore[arg-type]
        expected = await _contents(carried, CATALOG)
    first, position = list(CATALOG)[:3], 0
    for projection in first:
        await catch_up(pool, log, projection, 0, head, events_max=size)
    others = [projection for projection in CATALOG if projection not in first]
    while position < head:
        news = Stretch(0, position + 1, head, ())
        taken = await take_from_log(pool, others, news, position + size)
        assert not taken.alone
        for projection in taken.carried:
            await catch_up(pool, log, projection, 0, taken.last, events_max=size)
        position = taken.last
    assert await _contents(pool, CATALOG) == expected
    for projection in CATALOG:
        await rebuild(pool, log, projection, batch_events_max=size)
    assert await _contents(pool, CATALOG) == expected
    assert sum(len(table) for table in expected.values()) > 100


async def test_a_stretch_that_comes_again_does_nothing(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path
) -> None:
    projection = only(batches_of_notes(tmp_path))
    await rebuild(pool, log, projection)
    await write(log, NoteWritten("a", "1"), NoteChanged("a", "2"), NoteChanged("a", "3"))
    for first, last in ((1, 2), (1, 2), (2, 3), (1, 3), (3, 9)):
        taken = await take_from_log(pool, [projection], Stretch(0, first, last, ()), last)
        assert not taken.alone
    assert await rows(pool) == {"a": (3, 2)}
    assert await position_of(pool, "notes") == 3


async def test_a_hole_in_front_of_a_stretch_is_for_each_alone_to_fill(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path
) -> None:
    projection = only(batches_of_notes(tmp_path))
    await rebuild(pool, log, projection)
    await write(log, NoteWritten("a", "1"), NoteChanged("a", "2"), NoteChanged("a", "3"))
    taken = await take_from_log(pool, [projection], Stretch(0, 2, 3, ()), 3)
    assert taken.alone == [projection]
    assert await rows(pool) == {}
    assert await position_of(pool, "notes") == 0


@pytest.mark.parametrize("gone", [1, 25, 60])
async def test_what_is_in_the_archives_is_read_from_the_store(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path, gone: int
) -> None:
    catalog = batches_of_notes(tmp_path)
    for number in range(60):
        await write(log, (NoteWritten if number < 5 else NoteChanged)(f"n{number % 5}", "1"))
    store = Archived(log, await log.read(0, 0, 1_000))
    async with pool.connection() as connection:
        await connection.execute("DELETE FROM events WHERE position <= %s", [gone])
        async with connection.transaction():
            asked = await begin_staging(connection, list(catalog), 0, 0, 60, prepare=False)
            with pytest.raises(NotInLog) if gone < 60 else pytest.raises(StopIteration):
                staged = await asked.answer()
                assert staged.last == 0
                raise StopIteration
    await rebuild(pool, store, only(catalog), batch_events_max=20)  # type: ignore[arg-type]
    assert await rows(pool) == {f"n{number}": (1, 11) for number in range(5)}
    assert (await difference(pool, store, only(catalog))).is_equal  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_poison_in_the_log_is_parked_and_only_its_key_waits(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path, size: int
) -> None:
    catalog = batches_of_notes(tmp_path)
    projector = Projector(pool, log, catalog, batch_events_max=size, look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    await write(
        log,
        NoteWritten("a", "1"),
        NoteWritten("b", "2"),
        NoteChanged("b", "no number"),
        NoteChanged("a", "10"),
        NoteChanged("b", "20"),
        NoteChanged("a", "11"),
    )
    async with asyncio.timeout(20):
        while await position_of(pool, "notes") < 6:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await rows(pool) == {"a": (11, 2), "b": (2, 0)}
    letters = await DeadLetters(pool, log, catalog).list()
    assert [(letter["position"], letter["key"]) for letter in letters] == [(3, "b"), (5, "b")]
    await rebuild(pool, log, only(catalog))
    assert await rows(pool) == {"a": (11, 2), "b": (2, 0)}


async def test_news_is_only_a_bell_where_the_log_is_beside(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path
) -> None:
    """What it says of events that the log does not have is not believed; what it leaves out is found."""
    catalog = batches_of_notes(tmp_path)
    await Projector(pool, log, catalog).catch_up()
    gone = MemoryEventStore(lambda: NOON)
    await write(gone, *(NoteWritten(f"n{number}", "9") for number in range(9)))
    await write(log, NoteWritten("a", "7"), NoteWritten("z", "8"))
    news = [News(0, 9, list(await gone.read(0, 0, 100))), News(0, 2, [])]
    projector = Projector(pool, log, catalog, Paper(news), look_again_seconds=60)
    running = asyncio.create_task(projector.run())
    await until(lambda: all(delivery.settled == "done" for delivery in news))
    assert await rows(pool) == {"a": (7, 0), "z": (8, 0)}
    assert await position_of(pool, "notes") == 2
    running.cancel()


async def test_news_of_what_was_taken_already_is_passed_at_once(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch takes all there is, so under load most news is old; a rest for each would be a queue."""
    catalog, rests = batches_of_notes(tmp_path), list[int]()

    async def counted(_: Projector, __: float, events_taken: int) -> None:
        rests.append(events_taken)

    monkeypatch.setattr(Projector, "_rest", counted)
    await Projector(pool, log, catalog).catch_up()
    await write(log, *(NoteWritten(f"n{number}", "9") for number in range(20)))
    news = [News(0, position, []) for position in range(1, 21)]
    projector = Projector(pool, log, catalog, Paper(news), look_again_seconds=60)
    projector._drain = _nothing  # type: ignore[method-assign]
    running = asyncio.create_task(projector.run())
    await until(lambda: all(delivery.settled == "done" for delivery in news))
    assert rests == [20]
    running.cancel()


async def _nothing(*_: object) -> None:
    return


async def test_projections_that_take_runs_go_along_with_those_that_are_staged(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path
) -> None:
    others = [projection for projection in CATALOG if projection.name == "audit_trail"]
    catalog = Catalog([*notes(tmp_path), *others])
    projector = Projector(pool, log, catalog, look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    for number in range(20):
        await write(log, (NoteWritten if number < 5 else NoteChanged)(f"n{number % 5}", "1"))
    async with asyncio.timeout(20):
        while min([await position_of(pool, name) for name in ("notes", "audit_trail")]) < 20:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await rows(pool) == {f"n{number}": (1, 3) for number in range(5)}


async def test_projections_that_take_runs_are_told_of_no_batch_without_their_events(
    log: PostgresEventStore, pool: WritePool, tmp_path: Path
) -> None:
    projection = only(notes(tmp_path))
    await rebuild(pool, log, projection)
    await record(log, Stories(5).tell(40))
    head = await log.head(0)
    taken = await take_from_log(pool, [projection], Stretch(0, 1, head, ()), head)
    assert (taken.positions, taken.alone, taken.carried) == ({"notes": head}, [], [])
    await write(log, NoteWritten("a", "1"))
    taken = await take_from_log(pool, [projection], Stretch(0, head + 1, head + 1, ()), head + 1)
    assert (taken.positions, taken.alone, taken.carried) == ({}, [], [projection])
    assert await position_of(pool, "notes") == head


async def test_a_batch_sends_no_statement_without_an_event_of_its_types(
    log: PostgresEventStore, pool: WritePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for projection in CATALOG:
        await rebuild(pool, log, projection)
    told = [item for item in Stories(5).tell(400) if item.stream_id.startswith("ca_")]
    await record(log, told)
    head = await log.head(0)
    consumed = next(
        event
        for event in reversed(await log.read(0, 0, 10_000))
        if event.type == "credit_account.consumed.v1"
    )
    await take_from_log(pool, list(CATALOG), Stretch(0, 1, 1, ()), consumed.position - 1)
    sent: list[str] = []
    execute = WriteConnection.__origin__.execute  # type: ignore[attr-defined]

    async def counted(self: WriteConnection, query: Any, *given: Any, **named: Any) -> Any:
        sent.append(str(query))
        return await execute(self, query, *given, **named)

    monkeypatch.setattr(WriteConnection.__origin__, "execute", counted)  # type: ignore[attr-defined]
    monkeypatch.setattr(lanes, "_PLANS", Plans(seconds_max=10**9))
    at = consumed.position
    taken = await take_from_log(pool, list(CATALOG), Stretch(0, at, at, ()), at)
    assert (taken.last, taken.alone) == (at, [])
    # Two for the marks, one to stage, one to move them; between them those that take it.
    takers = [
        rule for projection in CATALOG for rule in projection.rules
        if consumed.type in rule.types or "*" in rule.types
    ]  # fmt: skip
    assert len(sent) == 4 + len(takers) == 10
    assert not any("payment_status" in query for query in sent)
    monkeypatch.setattr(lanes, "_PLANS", Plans(seconds_max=-1))
    sent.clear()
    await take_from_log(pool, list(CATALOG), Stretch(0, at, at, ()), at)
    assert sent[0].startswith("DISCARD PLANS"), "plans do not outlive the sizes they were made for"
    assert at <= head
