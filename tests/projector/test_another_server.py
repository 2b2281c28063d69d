"""After a failover to a server that lacks the end of the log, what takes its place there is projected too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.store.event_store import EventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.notes import NoteWritten, notes, rows, write
from tests.projector.test_consume import Paper, position_of
from tests.projector.test_log import Elsewhere, batches_of_notes, log

__all__ = ["log"]


async def reached(pool: WritePool, position: int) -> None:
    async with asyncio.timeout(10):
        while await position_of(pool, "notes") < position:
            await asyncio.sleep(0.01)


async def fail_over(pool: WritePool, to: int) -> None:
    """To a server that has only the events up to a position, and the read model of them."""
    async with pool.connection() as connection:
        for gone in (
            "DELETE FROM events WHERE position > %s",
            "DELETE FROM streams WHERE last_position > %s",
            "UPDATE partitions SET head = %s",
            "UPDATE projection_checkpoints SET position = %s",
        ):
            await connection.execute(gone, [to])
        await connection.execute("DELETE FROM read_models.notes_v1 WHERE note_id LIKE 'lost%'")


@pytest.mark.parametrize("news", [1, 2, 3], ids=["fewer", "as many", "more"])
@pytest.mark.parametrize(
    ("seen", "catalog"),
    [(Elsewhere, notes), (lambda it: it, batches_of_notes)],
    ids=["carried", "beside"],
)
async def test_what_another_server_has_in_the_place_of_what_was_lost_is_projected(
    pool: WritePool,
    log: PostgresEventStore,
    tmp_path: Path,
    seen: Callable[[PostgresEventStore], EventStore],
    catalog: Callable[[Path], object],
    news: int,
) -> None:
    projector = Projector(
        pool,
        seen(log),
        catalog(tmp_path),  # type: ignore[arg-type]
        Paper([]),
        look_again_seconds=0.05,
    )
    running = asyncio.create_task(projector.run())
    await write(
        log, NoteWritten("kept", "1"), NoteWritten("lost 1", "2"), NoteWritten("lost 2", "3")
    )
    await reached(pool, 3)
    await asyncio.sleep(0.1)  # until it has heard of its own commit
    await fail_over(pool, to=1)
    for number in range(news):
        await write(log, NoteWritten(f"new {number}", "7"))
    await reached(pool, 1 + news)
    assert await rows(pool) == {"kept": (1, 0)} | {f"new {n}": (7, 0) for n in range(news)}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
