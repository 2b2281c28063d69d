"""After a failover to a server that lacks the end of the log, no answer comes from what was kept of it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from flamewire_ledger.commands.batch import Again, BatchExecutor
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.counter import CODEC, empty, fill
from tests.services.postgres import PrivatePostgres


async def fail_over(server: PrivatePostgres, store: PostgresEventStore, to: int) -> None:
    """To a server that has only the events up to a position; the projector, the reactor or the API
    finds the connections broken first.
    """
    server.kill()
    await asyncio.to_thread(server.start)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DELETE FROM events WHERE position > %s", [to])
        connection.execute("DELETE FROM commands WHERE position > %s", [to])
        connection.execute("UPDATE streams SET version = %s, last_position = %s", [to, to])
        connection.execute("UPDATE partitions SET head = %s", [to])
    with pytest.raises(StoreUnavailable):
        await store.head(0)


async def test_a_server_that_was_away_is_noticed_by_the_writer_too(
    postgres_server: PrivatePostgres,
) -> None:
    await migrate(postgres_server.url)
    async with PostgresEventStore(postgres_server.url) as store:
        patient = PatientStore(store, 30)
        await asyncio.gather(*(patient.load(0, {"a": 0}) for _ in range(3)))
        before = patient.times_away
        await fail_over(postgres_server, store, to=0)
        await patient.load(0, {"a": 0})
        assert patient.times_away == before + 1


async def test_nothing_is_refused_because_of_what_another_server_does_not_have(
    postgres_server: PrivatePostgres,
) -> None:
    """The purse was emptied on the one that is gone; on this one it is full."""
    await migrate(postgres_server.url)
    async with PostgresEventStore(postgres_server.url) as store:
        batches = BatchExecutor(
            PatientStore(store, 30), CODEC, 0, streams_kept_max=100, snapshot_every_events=500
        )
        await batches.execute([fill("a", 5)])
        await batches.execute([empty("a", 5)])
        await fail_over(postgres_server, store, to=1)
        command = empty("a", 5)
        assert await batches.execute([command]) == [Again(("a",))]
        assert await batches.execute([command]) == [Done(2, b"0", False)]
