"""What readers have seen of a read model is there after the database has died."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate
from tests.projector.notes import NoteWritten, notes, rows, write
from tests.services.postgres import PrivatePostgres


async def test_a_read_model_does_not_go_back_when_postgres_is_killed(
    postgres_server: PrivatePostgres, store: MemoryEventStore, tmp_path: Path
) -> None:
    """A reader may have been told of the position, and remember it for as long as it runs."""
    await migrate(postgres_server.url)
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        # So rarely that nothing reaches the disk unless somebody waits for it.
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")
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
