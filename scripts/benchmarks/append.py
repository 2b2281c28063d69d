"""Commands decided and recorded: the writer on a Postgres of its own, with fsync on.

The commands are the ledger's most frequent one, ConsumeCredits, from clients that each wait for
their answer. References of the same run on the same server: a row a commit, as pgbench would, and
the library `eventsourcing` as it comes.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import uvloop
from eventsourcing.persistence import ApplicationRecorder, InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.commands.credit_account import envelope
from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    CreditAccountCommand,
    GrantCredits,
    OpenCreditAccount,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import Figure

_SECONDS: Final = 4.0
_ACCOUNTS: Final = 1_000
_MERCHANT: Final = "mer_01kayv3m8se0p9q7r2t4w6x8za"
_STATE: Final = b'{"account_id":"ca_1","amount":{"asset":"CREDIT","decimals":6,"units":"1"}}' * 3
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def run() -> list[Figure]:
    # With Python's own limits a third of the time goes into collecting garbage that is not there.
    gc.set_threshold(100_000, 50, 100)
    with tempfile.TemporaryDirectory(prefix="flamewire-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres", settings={"max_wal_size": "4GB"})
        url = server.start()
        try:
            return _measure(url, server.pid)
        finally:
            server.stop()


def _measure(url: str, server_pid: int) -> list[Figure]:
    rows = _rows_one_a_commit(url)
    factory, recorder = _library(url, "eventsourcing.postgres")
    library_alone = _rate(lambda: _insert(recorder, 1))
    library_batch = _rate(lambda: _insert(recorder, 500), events=500)
    factory.close()
    factory, recorder = _library(url, "flamewire_ledger.store.recorder")
    ours_alone = _rate(lambda: _insert(recorder, 1))
    ours_batch = _rate(lambda: _insert(recorder, 500), events=500)
    factory.close()
    asyncio.run(migrate(url))
    alone, _, _ = uvloop.run(_write(url, clients=1, commands=1))
    cpu = _cpu_seconds(server_pid)
    batched, p50, count = uvloop.run(_write(url, clients=40, commands=25))
    spent = (_cpu_seconds(server_pid) - cpu) / count * 1e6
    row, lib, lib500 = (
        "a row a commit",
        "eventsourcing, one a commit",
        "eventsourcing, 500 a commit",
    )
    return [
        Figure("consume, 1 client", alone, "commands/s", rows, row),
        Figure("consume, 1 000 in flight", batched, "commands/s", library_alone, lib, 8_000),
        Figure("consume, 1 000 in flight", batched, "commands/s", library_batch, lib500),
        Figure("CPU a command, all of it", spent, "µs", 1e6 / batched, "wall clock", 200, True),
        Figure("answer to 25 commands, p50", p50 * 1e3, "ms", 1e3 / rows, row, less_is_better=True),
        Figure("recorder, one event", ours_alone, "events/s", library_alone, lib),
        Figure("recorder, 500 events", ours_batch, "events/s", library_batch, lib500),
    ]


async def _write(url: str, *, clients: int, commands: int) -> tuple[float, float, int]:
    """Commands a second, the median seconds to an answer, and how many commands that were."""
    async with PostgresEventStore(url) as store:
        writer = Writer(store, Codec())
        running = asyncio.create_task(writer.run())
        accounts = await _open_accounts(writer)
        numbers = itertools.count()
        waited: list[float] = []
        done = 0
        began = time.perf_counter()

        async def client() -> None:
            nonlocal done
            while (sent := time.perf_counter()) - began < _SECONDS:
                chosen = [accounts[next(numbers) % len(accounts)] for _ in range(commands)]
                outcomes = await writer.submit_many([_consume(account) for account in chosen])
                assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
                waited.append(time.perf_counter() - sent)
                done += commands

        await asyncio.gather(*(client() for _ in range(clients)))
        seconds = time.perf_counter() - began
        writer.stop()
        await running
    return done / seconds, sorted(waited)[len(waited) // 2], done


async def _open_accounts(writer: Writer) -> list[str]:
    now = datetime.now(UTC)
    accounts = [f"ca_{uuid4().hex[:26]}" for _ in range(_ACCOUNTS)]
    await writer.submit_many(
        [_envelope(OpenCreditAccount(account, None, None, now)) for account in accounts]
    )
    credit = Amount(CREDIT, 10**15)
    await writer.submit_many(
        [
            _envelope(GrantCredits(account, f"gr_{account[3:]}", credit, "granted", now))
            for account in accounts
        ]
    )
    return accounts


def _consume(account: str) -> Envelope:
    return _envelope(ConsumeCredits(account, Amount(CREDIT, 1_000), datetime.now(UTC), "call"))


def _envelope(command: CreditAccountCommand) -> Envelope:
    origin = Origin(uuid4(), _MERCHANT, "key:bench", fingerprint=b"f" * 32)
    return envelope(origin, command, lambda states: b'{"object":"credit_account"}')


def _rows_one_a_commit(url: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id uuid PRIMARY KEY, data bytea NOT NULL)")

        def insert() -> None:
            connection.execute("INSERT INTO plain VALUES (%b, %b)", (uuid4(), _STATE), prepare=True)

        return _rate(insert)


def _library(url: str, module: str) -> tuple[InfrastructureFactory, ApplicationRecorder]:
    parts = conninfo_to_dict(url)
    settings = {
        "PERSISTENCE_MODULE": module,
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts["port"]),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password") or ""),
    }
    factory: InfrastructureFactory = InfrastructureFactory.construct(Environment("Bench", settings))
    return factory, factory.application_recorder()


def _insert(recorder: ApplicationRecorder, count: int) -> None:
    origin: UUID = uuid4()
    recorder.insert_events(
        [StoredEvent(origin, version, "Consumed", _STATE) for version in range(count)]
    )


def _rate(work: Callable[[], None], events: int = 1) -> float:
    """Events a second, over half the time given to the writer."""
    work()
    began, times = time.perf_counter(), 0
    while time.perf_counter() - began < _SECONDS / 2:
        work()
        times += 1
    return times * events / (time.perf_counter() - began)


def _cpu_seconds(server_pid: int) -> float:
    """Of this process, and of the server with its children, the living and the dead."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(stat.parent.name) == server_pid:
            ticks += sum(int(value) for value in fields[11:15])
        elif int(fields[1]) == server_pid:
            ticks += sum(int(value) for value in fields[11:13])
    return time.process_time() + ticks / _TICKS
