"""A rebuild is done beside the live tables; nobody who asks ever sees half of one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flamewire_ledger.projector import rebuild as rebuilding
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.difference import NothingToCompare, difference
from flamewire_ledger.projector.generations import RebuildRunning, only_builder
from flamewire_ledger.projector.installed import Standing, standing_of
from flamewire_ledger.projector.read_side import ReadSide
from flamewire_ledger.projector.rebuild import SwitchNotPossible, rebuild
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.notes import FILES, NoteChanged, NoteWritten, notes, only, rows, write
from tests.projector.stories import NOON, Stories, record
from tests.projector.test_consume import position_of, until


async def _schemas(pool: WritePool) -> set[str]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read_models%'"
        )
        return {name for (name,) in await cursor.fetchall()}


async def test_a_rebuild_mends_the_rows_and_keeps_the_old_ones(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await write(store, NoteWritten("a", "1"), NoteWritten("b", "2"))
    await Projector(pool, store, catalog).catch_up()
    async with pool.connection() as connection:
        await connection.execute("UPDATE read_models.notes_v1 SET number = 99 WHERE note_id = 'a'")
    progress: list[tuple[int, int]] = []
    built = await rebuild(
        pool, store, only(catalog), on_progress=lambda done, total: progress.append((done, total))
    )
    assert built.events == 2
    assert progress[-1] == (2, 2)
    assert await rows(pool) == {"a": (1, 0), "b": (2, 0)}
    assert await rows(pool, "read_models_old_notes") == {"a": (99, 0), "b": (2, 0)}
    assert await _schemas(pool) == {"read_models", "read_models_old_notes"}
    assert await position_of(pool, "notes") == 2


async def test_a_diff_finds_each_planted_change(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await write(store, *(NoteWritten(f"n{number}", str(number)) for number in range(5)))
    await Projector(pool, store, catalog).catch_up()
    assert (await difference(pool, store, only(catalog))).is_equal
    async with pool.connection() as connection:
        await connection.execute("UPDATE read_models.notes_v1 SET number = 7 WHERE note_id = 'n1'")
        await connection.execute("DELETE FROM read_models.notes_v1 WHERE note_id = 'n2'")
        await connection.execute("INSERT INTO read_models.notes_v1 VALUES ('odd', 1, 0, 1)")
    found = await difference(pool, store, only(catalog), rows_max=2)
    assert found.differing == {"notes_v1": 3}
    assert len(found.rows) == 2
    everything = await difference(pool, store, only(catalog))
    sides = {
        (row.live or row.rebuilt or {})["note_id"]: (row.live is None, row.rebuilt is None)
        for row in everything.rows
    }
    assert sides == {"n1": (False, False), "n2": (True, False), "odd": (False, True)}
    listed = await ReadSide(pool, store, catalog, lambda: NOON).diff("notes")
    assert [(row["table"], row["side"]) for row in listed] == [
        ("notes_v1", "live"),
        ("notes_v1", "rebuilt"),
        ("notes_v1", "rebuilt"),
        ("notes_v1", "live"),
    ]
    assert await _schemas(pool) == {"read_models"}, "a diff leaves nothing behind"
    checks = {check.name: check for check in await _verify(pool, store, tmp_path)}
    assert not checks["notes equals its rebuild"].ok
    assert checks["positions are gapless"].ok


async def _verify(pool: WritePool, store: MemoryEventStore, tmp_path: Path) -> list[Any]:
    """The books' read model has to be there for the checks of the books."""
    shipped = load_catalog(Codec().classes)
    await rebuild(pool, MemoryEventStore(lambda: NOON), shipped.get("account_balance"))
    return await ReadSide(pool, store, notes(tmp_path), lambda: NOON).verify()


async def test_a_diff_is_at_one_position_while_live_goes_on(
    pool: WritePool, ledger_url: str, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    async with PostgresEventStore(ledger_url) as store:
        await write(store, *(NoteWritten(f"n{number}", "0") for number in range(5)))
        projector = Projector(pool, store, catalog, look_again_seconds=0.02)
        running = asyncio.create_task(projector.run())
        await until(lambda: projector.is_ready)
        writing = asyncio.create_task(_keep_changing(store))
        for _ in range(3):
            assert (await difference(pool, store, only(catalog), batch_events_max=20)).is_equal
        writing.cancel()
        running.cancel()


async def _keep_changing(store: PostgresEventStore | MemoryEventStore) -> None:
    number = 0
    while True:
        number += 1
        await write(store, NoteChanged(f"n{number % 5}", str(number)))
        await asyncio.sleep(0.01)


async def test_a_rebuild_under_load_is_never_seen_half_built(
    pool: WritePool, ledger_url: str, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    answers: list[int] = []
    async with PostgresEventStore(ledger_url) as store:
        await write(store, *(NoteWritten(f"n{number}", "0") for number in range(40)))
        projector = Projector(pool, store, catalog, look_again_seconds=0.02)
        running = asyncio.create_task(projector.run())
        await until(lambda: projector.is_ready)
        asking = asyncio.create_task(_keep_asking(ledger_url, answers))
        writing = asyncio.create_task(_keep_changing(store))
        for _ in range(3):
            await rebuild(pool, store, only(catalog), batch_events_max=20)
        writing.cancel()
        await asyncio.sleep(0.1)
        asking.cancel()
        head = await store.head(0)
        async with asyncio.timeout(10):
            while await position_of(pool, "notes") < head:
                await asyncio.sleep(0.01)
        assert head > 45, "it was written to meanwhile"
        assert len(answers) > 20
        assert set(answers) == {40}, "every answer had every note"
        assert (await difference(pool, store, only(catalog))).is_equal
        running.cancel()


async def _keep_asking(url: str, answers: list[int]) -> None:
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, options="-c search_path=read_models"
    )
    async with connection:
        while True:
            cursor = await connection.execute("SELECT count(*) FROM notes_v1", prepare=True)
            row = await cursor.fetchone()
            assert row is not None
            answers.append(row[0])
            await asyncio.sleep(0.002)


async def test_a_rebuild_that_was_killed_leaves_live_alone_and_the_next_one_starts_clean(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await write(store, *(NoteWritten(f"n{number}", str(number)) for number in range(6)))
    await Projector(pool, store, catalog).catch_up()
    before = await rows(pool)

    def stop(done: int, _: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(pool, store, only(catalog), on_progress=stop, batch_events_max=2)
    assert "read_models_next_notes" in await _schemas(pool)
    assert await rows(pool) == before
    assert await position_of(pool, "notes") == 6
    await rebuild(pool, store, only(catalog))
    assert await rows(pool) == before
    assert "read_models_next_notes" not in await _schemas(pool)


async def test_of_two_rebuilds_at_once_the_second_is_refused(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await Projector(pool, store, catalog).catch_up()
    async with pool.connection() as connection, only_builder(connection, "notes", "next"):
        with pytest.raises(RebuildRunning, match="another process is building notes"):
            await rebuild(pool, store, only(catalog))
    await rebuild(pool, store, only(catalog))


async def test_a_new_version_is_built_beside_and_takes_the_place_of_the_old(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    await write(store, NoteWritten("a", "1"))
    await Projector(pool, store, notes(tmp_path / "1")).catch_up()
    newer = notes(
        tmp_path / "2",
        projection_toml=FILES["projection.toml"].replace("version = 1", "version = 2"),
        schema_sql=FILES["schema.sql"].replace("_v1", "_v2"),
        project_sql=FILES["project.sql"].replace("_v1", "_v2"),
    )
    assert await standing_of(pool, only(newer)) is Standing.OLDER
    with pytest.raises(NothingToCompare, match="older version"):
        await difference(pool, store, only(newer))
    await Projector(pool, store, newer).catch_up()
    assert await standing_of(pool, only(newer)) is Standing.CURRENT
    assert await standing_of(pool, only(notes(tmp_path / "1"))) is Standing.NEWER
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM read_models.notes_v2")
        assert await cursor.fetchone() == (1,)
    assert await rows(pool, "read_models_old_notes") == {"a": (1, 0)}


async def test_a_reader_that_does_not_let_go_delays_the_switch_and_loses_nothing(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_SWITCH_TRIES_MAX", 2)
    monkeypatch.setattr(rebuilding, "_SWITCH_PAUSE_SECONDS", 0.01)
    catalog = notes(tmp_path)
    await write(store, NoteWritten("a", "1"))
    await Projector(pool, store, catalog).catch_up()
    reader = await psycopg.AsyncConnection.connect(pool.conninfo)
    async with reader:
        await reader.execute("SELECT * FROM read_models.notes_v1")
        with pytest.raises(SwitchNotPossible, match="again"):
            await rebuild(pool, store, only(catalog))
    assert await rows(pool) == {"a": (1, 0)}
    await rebuild(pool, store, only(catalog))


async def test_live_that_stands_behind_goes_on_from_the_rebuild(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    catalog = notes(tmp_path)
    await Projector(pool, store, catalog).catch_up()
    await write(store, NoteWritten("a", "1"), NoteChanged("a", "2"))
    await rebuild(pool, store, only(catalog))  # nobody projects into live meanwhile
    assert await position_of(pool, "notes") == 2
    await Projector(pool, store, catalog).catch_up()
    assert await rows(pool) == {"a": (2, 1)}


async def test_several_partitions_are_rebuilt_and_compared_whole(
    pool: WritePool,
) -> None:
    catalog = load_catalog(Codec().classes)
    store = MemoryEventStore(lambda: NOON, partitions=2)
    for partition in range(2):
        stories = Stories(partition, merchants=1, tag=f"p{partition}")
        await record(store, stories.tell(60), partition=partition)
    await Projector(pool, store, catalog).catch_up()
    await rebuild(pool, store, catalog.get("ledger_entries"))
    checks = await ReadSide(pool, store, catalog, lambda: NOON).verify()
    assert all(check.ok for check in checks), checks
