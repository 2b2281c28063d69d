"""An event that cannot be applied waits with its key; everybody else goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flamewire_ledger.projector.alone import NotBuilt
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.dead_letters import DeadLetters, NoSuchLetter
from flamewire_ledger.projector.difference import difference
from flamewire_ledger.projector.poison import POISON_EVENTS_MAX, ProjectionBroken
from flamewire_ledger.projector.read_side import ReadSide
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.notes import (
    FILES,
    NoteChanged,
    NoteTorn,
    NoteWritten,
    notes,
    only,
    rows,
    write,
)
from tests.projector.stories import NOON
from tests.projector.test_consume import position_of, until

POISON = NoteChanged("b", "no number")


async def _poisoned(store: MemoryEventStore) -> None:
    await write(
        store,
        NoteWritten("a", "1"),
        NoteWritten("b", "2"),
        POISON,
        NoteChanged("a", "10"),
        NoteChanged("b", "20"),
        NoteChanged("a", "11"),
    )


async def test_poison_is_parked_and_only_its_key_waits(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await Projector(pool, store, catalog).catch_up()
    await _poisoned(store)
    await Projector(pool, store, catalog).catch_up()
    assert await rows(pool) == {"a": (11, 2), "b": (2, 0)}
    letters = await DeadLetters(pool, store, catalog).list()
    assert [(letter["position"], letter["key"]) for letter in letters] == [(3, "b"), (5, "b")]
    assert letters[0]["cause"].startswith("22P02: invalid input syntax")
    assert letters[0]["attempts"] == 1
    assert letters[1]["cause"] is None
    assert letters[0]["reader"] == "projection:notes"
    assert await position_of(pool, "notes") == 6


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_later_events_of_the_key_join_the_queue_at_any_batch_size(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path, size: int
) -> None:
    catalog = notes(tmp_path)
    projector = Projector(pool, store, catalog, batch_events_max=size)
    await _poisoned(store)
    await projector.catch_up()
    await write(store, NoteTorn("b"), NoteWritten("c", "3"))
    await projector.catch_up()
    assert await rows(pool) == {"a": (11, 2), "b": (2, 0), "c": (3, 0)}
    letters = await DeadLetters(pool, store, catalog).list()
    assert [letter["position"] for letter in letters] == [3, 5, 7]


async def test_a_retry_applies_what_waited_in_order_once_the_cause_is_gone(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await _poisoned(store)
    await Projector(pool, store, catalog).catch_up()
    dead = DeadLetters(pool, store, catalog)
    first = (await dead.list())[0]
    assert await dead.retry(first["id"]) == 2, "nothing has changed: it fails again"
    assert (await dead.list())[0]["attempts"] == 2
    # The statement learns to take it.
    text = FILES["project.sql"].replace(
        "array_agg((data->>'number')::integer ORDER BY position DESC)",
        "array_agg(nullif(data->>'number', 'no number')::integer ORDER BY position DESC)",
    )
    text = text.replace("number = change.number", "number = coalesce(change.number, note.number)")
    mended = notes(tmp_path, project_sql=text)
    async with pool.connection() as connection:  # as if this definition had built the tables
        await connection.execute(
            "UPDATE projections SET fingerprint = %s", [only(mended).fingerprint]
        )
    assert await DeadLetters(pool, store, mended).retry(first["id"]) == 0
    assert await rows(pool) == {"a": (11, 2), "b": (20, 2)}
    assert await dead.list() == []


async def test_what_is_discarded_is_left_out_in_rebuilds_too(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await _poisoned(store)
    await Projector(pool, store, catalog).catch_up()
    dead = DeadLetters(pool, store, catalog)
    first = (await dead.list())[0]
    shown = await dead.show(first["id"])
    assert shown is not None
    assert "no number" in shown["data"]
    assert await dead.discard(first["id"]) == 0
    assert await rows(pool) == {"a": (11, 2), "b": (20, 1)}
    assert await dead.list() == []
    assert len(await dead.list(discarded=True)) == 1
    assert (await difference(pool, store, only(catalog))).is_equal
    await rebuild(pool, store, only(catalog))
    assert await rows(pool) == {"a": (11, 2), "b": (20, 1)}
    assert await dead.list() == []
    with pytest.raises(NoSuchLetter):
        await dead.retry(first["id"])


async def test_a_rebuild_parks_what_it_cannot_apply_as_well(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await _poisoned(store)
    await Projector(pool, store, catalog).catch_up()
    await rebuild(pool, store, only(catalog))
    letters = await DeadLetters(pool, store, catalog).list()
    assert [letter["position"] for letter in letters] == [3, 5]
    assert (await difference(pool, store, only(catalog))).is_equal
    (status,) = await ReadSide(pool, store, catalog, lambda: NOON).status()
    assert status["parked"] == 2
    assert status["lag_events"] == 0


async def test_too_much_poison_is_a_broken_projection_and_nothing_is_parked(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await Projector(pool, store, catalog).catch_up()
    for number in range(POISON_EVENTS_MAX + 1):
        await write(store, NoteWritten(f"n{number}", "no number"))
    with pytest.raises(ProjectionBroken, match="stands still"):
        await Projector(pool, store, catalog).catch_up()
    assert await DeadLetters(pool, store, catalog).list() == []
    assert await position_of(pool, "notes") == 0


async def test_wrong_sql_stops_its_projection_and_parks_nothing(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    text = FILES["project.sql"].replace("DELETE FROM notes_v1", "DELETE FROM no_such_table")
    catalog = notes(tmp_path, project_sql=text)
    projector = Projector(pool, store, catalog, look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    await write(store, NoteWritten("a", "1"), NoteTorn("a"))
    await until(lambda: "notes" in projector.broken)
    assert "no_such_table" in projector.broken["notes"]
    assert not projector.is_ready
    assert await DeadLetters(pool, store, catalog).list() == []
    running.cancel()


async def test_tables_of_another_definition_are_not_written_to(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    await write(store, NoteWritten("a", "1"))
    await Projector(pool, store, notes(tmp_path)).catch_up()
    changed = FILES["project.sql"].replace("note.changes + change.times", "note.changes + 1")
    with pytest.raises(NotBuilt, match="changed without a new version"):
        await Projector(pool, store, notes(tmp_path, project_sql=changed)).catch_up()
