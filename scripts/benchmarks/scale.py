"""More processes: the same commands through 1, 2 and 4 writers, each on a partition of its own, and
their events into read models by 1, 2 and 4 projectors that share the partitions.

On a machine of two cores the total stops growing when both are busy. What tells whether more cores
and more machines would help is the processor time of a command or an event, all processes and
Postgres together: as long as it stays where it is, they do not get into each other's way.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.processes import cost, tree
from scripts.benchmarks.scale_work import PARTITIONS
from scripts.benchmarks.servers import postgres_server

_PROCESSES: Final = (1, 2, 4)
_WRITE_SECONDS: Final = 5.0
_FILL_SECONDS: Final = 3.0  # all partitions, for the projectors
_CATCH_UP_SECONDS_MAX: Final = 120.0
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast, and µs of processor time a command or event, Postgres included."""

    rate: float
    processor_us: float


def run() -> list[Figure]:
    with postgres_server(migrated=False) as server:
        asyncio.run(migrate(server.url, partitions=PARTITIONS))
        asyncio.run(_build(server.url))
        writers = {count: _writers(server, count, _WRITE_SECONDS) for count in _PROCESSES}
        _projectors(server, PARTITIONS)  # what that has brought
        projectors: dict[int, Measured] = {}
        for count in _PROCESSES:
            _writers(server, PARTITIONS, _FILL_SECONDS)
            projectors[count] = _projectors(server, count)
    return [
        *_figures("consume", "writer process", "command", writers),
        *_figures("all read models", "projector process", "event", projectors),
    ]


def _figures(what: str, kind: str, unit: str, measured: Mapping[int, Measured]) -> list[Figure]:
    one = measured[_PROCESSES[0]]
    figures: list[Figure] = []
    for count in _PROCESSES[1:]:
        many, name = measured[count], f"{count} {kind}es"
        rate = Figure(f"{what}, {name}", many.rate, f"{unit}s/s", one.rate, f"1 {kind}")
        spent = Figure(
            f"{what}, CPU a {unit}, {name}",
            many.processor_us,
            "µs",
            one.processor_us,
            f"1 {kind}",
            less_is_better=True,
            ratio_target=1.25,
        )
        figures += [rate, spent]
    return figures


def _writers(server: EmbeddedPostgres, count: int, seconds: float) -> Measured:
    before = cost(tree(server.pid)).processor_seconds
    processes = [
        _work("write", server.url, str(partition), str(seconds)) for partition in range(count)
    ]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    commands = sum(answer["commands"] for answer in answers)
    spent = cost(tree(server.pid)).processor_seconds - before
    spent += sum(answer["processor"] for answer in answers)
    rate = sum(answer["commands"] / answer["seconds"] for answer in answers)
    return Measured(rate, spent / commands * 1e6)


def _projectors(server: EmbeddedPostgres, count: int) -> Measured:
    """From the moment they may begin until all read models are where the store is."""
    processes = [_work("project", server.url) for _ in range(count)]
    try:
        return _projected(server, processes)
    finally:
        for process in processes:  # ended already, unless something went wrong
            process.kill()


def _projected(server: EmbeddedPostgres, processes: Sequence[subprocess.Popen[str]]) -> Measured:
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    events = asyncio.run(_behind(server.url))
    before, began = cost(tree(server.pid)).processor_seconds, time.perf_counter()
    for process in processes:
        _tell(process)
    asyncio.run(_caught_up(server.url))
    seconds = time.perf_counter() - began
    spent = cost(tree(server.pid)).processor_seconds - before
    for process in processes:
        _tell(process)
    spent += sum(json.loads(process.communicate()[0])["processor"] for process in processes)
    return Measured(events / seconds, spent / max(1, events) * 1e6)


def _work(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scripts.benchmarks.scale_work", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


async def _build(url: str) -> None:
    """All read models, empty."""
    async with PostgresEventStore(url) as store, write_pool(url) as pool:
        await Projector(pool, store, load_catalog(Codec().classes)).catch_up()


async def _caught_up(url: str) -> None:
    deadline = time.monotonic() + _CATCH_UP_SECONDS_MAX
    while await _behind(url):
        if time.monotonic() > deadline:
            raise BenchmarkFailed("the projectors do not catch up")
        await asyncio.sleep(_LOOK_SECONDS)


async def _behind(url: str) -> int:
    """How many events the slowest read model lacks, over all partitions."""
    pool = read_pool(url)
    async with PostgresEventStore(url) as store, pool:
        positions = await ReadModels(pool).positions()
        behind = 0
        for partition in range(store.partitions):
            slowest = min(at for (_, shard), at in positions.items() if shard == partition)
            behind += await store.head(partition) - slowest
        return behind
