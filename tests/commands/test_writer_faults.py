"""Whatever is killed: what was acknowledged is there once, positions have no gap, versions no hole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from flamewire_ledger.commands.decider import Contended, Done
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.counter import CODEC, fill
from tests.commands.writing_process import CLIENTS, command
from tests.services.postgres import PrivatePostgres

ROOT = Path(__file__).parents[2]


async def check(url: str, promised: set[UUID]) -> int:
    """The log is whole, and everything promised is in it once; how many commands it has."""
    async with PostgresEventStore(url) as store:
        head = await store.head(0)
        events = [e for after in range(0, head, 5000) for e in await store.read(0, after, 5000)]
        assert [event.position for event in events] == list(range(1, head + 1))
        assert [e.recorded_at for e in events] == sorted(e.recorded_at for e in events)
        versions: dict[str, list[int]] = defaultdict(list)
        for event in events:
            versions[event.stream_id].append(event.version)
        for stream_id, found in versions.items():
            assert found == list(range(1, len(found) + 1)), stream_id
        times = Counter((event.command_id, event.stream_id) for event in events)
        assert set(times.values()) <= {1}, "a command was recorded twice"
        recorded = {event.command_id for event in events}
        assert promised <= recorded, "something promised is missing"
        known = await store.find_commands(0, list(recorded))
        assert set(known) == recorded
        return len(recorded)


class WritingProcess:
    """A writer in a process of its own, and what it promised."""

    def __init__(self, url: str, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands.writing_process", url, name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self.promised: set[UUID] = set()

    def wait_for_promises(self, count: int) -> None:
        self.promised |= {UUID(self._output.readline().strip()) for _ in range(count)}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(20)
        # A last line that is cut off is no promise anybody heard.
        lines = self._output.read().split("\n")[:-1]
        self.promised |= {UUID(line) for line in lines}
        self._output.close()


@pytest.fixture
async def ledger(database_url: str) -> str:
    await migrate(database_url)
    return database_url


async def test_a_killed_writer_loses_nothing_it_promised(ledger: str):
    promised: set[UUID] = set()
    for name in ("first", "second"):
        process = WritingProcess(ledger, name)
        process.wait_for_promises(400)
        process.kill()
        promised |= process.promised
    assert await check(ledger, promised) >= 800


async def test_writers_in_several_processes_share_streams(ledger: str):
    processes = [WritingProcess(ledger, name) for name in ("one", "two", "three")]
    for process in processes:
        await asyncio.to_thread(process.wait_for_promises, 300)
    for process in processes:
        process.kill()
    promised = set().union(*(process.promised for process in processes))
    assert await check(ledger, promised) >= 900


@asynccontextmanager
async def load(url: str, promised: set[UUID]) -> AsyncIterator[Writer]:
    """Clients that never stop, and take note of what they are promised."""
    async with PostgresEventStore(url) as store:
        writer = Writer(store, CODEC, unavailable_seconds_max=60)
        running = asyncio.create_task(writer.run())
        stopping = asyncio.Event()

        async def client(number: int) -> None:
            sent = 0
            while not stopping.is_set():
                envelope = command("load", number, sent)
                outcome = await writer.submit(envelope)
                assert not isinstance(outcome, Contended)
                if isinstance(outcome, Done):
                    assert not outcome.replayed
                    promised.add(envelope.command_id)
                sent += 1

        clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
        yield writer
        stopping.set()
        await asyncio.gather(*clients)
        writer.stop()
        await running


async def until(promised: set[UUID], count: int) -> None:
    async with asyncio.timeout(30):
        while len(promised) < count:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_killed_postgres_loses_and_doubles_nothing(postgres_server: PrivatePostgres):
    await migrate(postgres_server.url)
    promised: set[UUID] = set()
    async with load(postgres_server.url, promised):
        for seconds_away in (1, 10):
            await until(promised, len(promised) + 500)
            postgres_server.kill()
            await asyncio.sleep(seconds_away)
            await asyncio.to_thread(postgres_server.start)
        await until(promised, len(promised) + 500)
    recorded = await check(postgres_server.url, promised)
    assert recorded == len(promised), "nobody was left without an answer"


async def test_broken_connections_are_not_noticed_by_callers(ledger: str):
    promised: set[UUID] = set()
    async with load(ledger, promised):
        with psycopg.connect(ledger, autocommit=True) as connection:
            for _ in range(10):
                await until(promised, len(promised) + 100)
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
    assert await check(ledger, promised) == len(promised)


async def test_a_database_that_stays_away_is_told_and_comes_back(
    postgres_server: PrivatePostgres,
):
    await migrate(postgres_server.url)
    async with PostgresEventStore(postgres_server.url) as store:
        writer = Writer(store, CODEC, unavailable_seconds_max=0.5)
        running = asyncio.create_task(writer.run())
        await writer.submit(fill("a", 1))
        postgres_server.kill()
        with pytest.raises(StoreUnavailable, match="database"):
            await writer.submit(fill("a", 1))
        await asyncio.to_thread(postgres_server.start)
        assert await writer.submit(fill("a", 1)) == Done(2, b"2", False)
        writer.stop()
        await running


async def test_a_warm_batch_is_one_round_trip(ledger: str):
    async with PostgresEventStore(ledger) as store:
        writer = Writer(store, CODEC)
        running = asyncio.create_task(writer.run())
        await writer.submit_many([fill(f"s{number}", 1) for number in range(300)])
        before = store.round_trips
        await writer.submit_many([fill(f"s{number}", 1) for number in range(300)])
        assert store.round_trips - before == 1
        writer.stop()
        await running
