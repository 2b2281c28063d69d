"""What readers have seen of a read model is there after the database has died."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from flamewire_ledger.projector.alone import begin_step
from flamewire_ledger.projector.checkpoint import Generation
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate
from tests.projector.notes import NoteWritten, notes, only, rows, write
from tests.services.postgres import PrivatePostgres


async def test_a_read_model_does_not_go_back_when_postgres_is_killed(
    postgres_server: PrivatePostgres, store: MemoryEventStore, tmp_path: Path
) -> None:
    """A reader may have been told of the position, and remember it for as long as it runs."""
    await _rarely_to_disk(postgres_server)
    async with write_pool(postgres_server.url) as pool:
        projector = Projector(pool, store, notes(tmp_path))
        await projector.catch_up()
        for number in range(1, 4):
            await write(store, NoteWritten(f"n{number}", str(number)))
        await projector.catch_up()
        seen = await rows(pool)
        postgres_server.kill()
    await asyncio.to_thread(postgres_server.start)
    async with write_pool(postgres_server.url) as pool:
        assert await rows(pool) == seen
        assert len(seen) == 3


async def _rarely_to_disk(server: PrivatePostgres) -> None:
    """So rarely that nothing reaches the disk unless somebody waits for it."""
    await migrate(server.url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")


async def test_a_rebuild_that_is_done_stays_done_when_postgres_is_killed(
    postgres_server: PrivatePostgres, store: MemoryEventStore, tmp_path: Path
) -> None:
    """Its steps do not wait for the disk, but the switch does, and brings them all."""
    await _rarely_to_disk(postgres_server)
    await write(store, *(NoteWritten(f"n{number}", str(number)) for number in range(40)))
    async with write_pool(postgres_server.url) as pool:
        await rebuild(pool, store, only(notes(tmp_path)), batch_events_max=7)
        built = await rows(pool)
        postgres_server.kill()
    await asyncio.to_thread(postgres_server.start)
    async with write_pool(postgres_server.url) as pool:
        assert await rows(pool) == built
        assert len(built) == 40
        assert await Projector(pool, store, notes(tmp_path)).catch_up() is None
        assert await rows(pool) == built


@pytest.mark.parametrize(
    ("generation", "waits"), [("live", "on"), ("next", "off"), ("diff", "off")]
)
async def test_only_what_is_read_waits_for_the_disk(
    pool: WritePool, generation: Generation, waits: str
) -> None:
    async with pool.connection() as connection:
        async with connection.transaction():
            await begin_step(connection, "notes", generation)
            cursor = await connection.execute("SHOW synchronous_commit")
            assert await cursor.fetchone() == (waits,)
        cursor = await connection.execute("SHOW synchronous_commit")
        assert await cursor.fetchone() == ("on",), "of that transaction only"
