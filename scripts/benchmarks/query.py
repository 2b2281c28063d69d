"""Balances asked for: `GET /v1/credit_accounts/{id}` through one API process, from Postgres and from Redis.

The same server answers `/health/live` in the same run: what HTTP alone costs there. A client of the
benchmark's own keeps its connections busy and checks each answer; everything shares the processors.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil
import uvloop

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.load.accounts import open_accounts
from scripts.benchmarks.load.connection import Connection, connect
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import Cost, cost, in_words, split, tree
from scripts.benchmarks.running import MERCHANT, Child
from scripts.benchmarks.servers import postgres_server
from tests.services.place import free_port
from tests.services.redis import PrivateRedis

_CLIENT: Final = "client"
_SECONDS: Final = 4.0
_CONNECTIONS: Final = 64
_AIMS: Final = {"Postgres": 1_500, "Redis": 4_000}


@dataclass(frozen=True, slots=True)
class Load:
    """What came of asking for a while: requests a second, and µs of processor time each, by part."""

    rate: float
    parts: Mapping[str, float]


def run(options: Options) -> list[Figure]:
    options = options.lasting(_SECONDS)
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flamewire-bench-")))
        redis = PrivateRedis(folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        environment = _environment(folder, server.url)
        key, accounts = _prepared(environment, options.accounts)
        figures = []
        for source, aim in _AIMS.items():
            more = {"FLAMEWIRE_REDIS_URL": redis.url} if source == "Redis" else {}
            with _api({**environment, **more}) as (child, address):
                pids = {"API": child.pid, "Postgres": server.pid, "Redis": redis.pid}
                measuring = _measure(pids, address, key, accounts, options)
                figures += _figures(source, aim, *uvloop.run(measuring))
        return figures


def _figures(source: str, aim: float, balance: Load, empty: Load) -> list[Figure]:
    reference = "an empty endpoint of it"
    return [
        Figure(
            f"balance from {source}", balance.rate, "requests/s", empty.rate, reference, aim,
            note=in_words(balance.parts),
        ),
        Figure(
            f"CPU of a balance from {source}, servers and all", _beside_client(balance), "µs",
            _beside_client(empty), reference, less_is_better=True,
        ),
    ]  # fmt: skip


def _beside_client(load: Load) -> float:
    return sum(load.parts.values()) - load.parts[_CLIENT]


async def _measure(
    pids: Mapping[str, int],
    address: tuple[str, int],
    key: str,
    accounts: Sequence[str],
    options: Options,
) -> tuple[Load, Load]:
    """Balances, and nothing at all."""
    head = f"Host: bench\r\nAuthorization: Bearer {key}\r\n\r\n"
    balances = [
        (f"GET /v1/credit_accounts/{each} HTTP/1.1\r\n{head}".encode(), each.encode())
        for each in accounts
    ]
    empty = [(f"GET /health/live HTTP/1.1\r\n{head}".encode(), b"")]
    return (
        await _load(pids, address, balances, options),
        await _load(pids, address, empty, options),
    )


async def _load(
    pids: Mapping[str, int],
    address: tuple[str, int],
    asked: Sequence[tuple[bytes, bytes]],
    options: Options,
) -> Load:
    client = _Client(asked)
    for _ in range(_CONNECTIONS):
        client.send(await connect(address, client))
    await asyncio.sleep(options.warm_up_seconds)
    began, before, spent = time.perf_counter(), client.answered_count, _costs(pids)
    await asyncio.sleep(options.measured_seconds)
    answered = client.answered_count - before
    parts = split(spent, _costs(pids), max(answered, 1))
    seconds = time.perf_counter() - began
    client.stop()
    if client.fault is not None:
        raise BenchmarkFailed(client.fault)
    return Load(answered / seconds, parts)


def _costs(pids: Mapping[str, int]) -> dict[str, Cost]:
    """Of the servers with their children, and of this process, which is the client."""
    found = {part: cost(tree(pid)) for part, pid in pids.items()}
    return {**found, _CLIENT: cost([psutil.Process()])}


class _Client:
    """Sends again on each connection as soon as it was answered."""

    def __init__(self, asked: Sequence[tuple[bytes, bytes]]) -> None:
        """Requests, and what has to be in the answer of each."""
        self.answered_count = 0
        self.fault: str | None = None
        self._asked = asked
        self._next = 0
        self._expected: dict[Connection, bytes] = {}
        self._is_over = False

    def send(self, connection: Connection) -> None:
        request, expected = self._asked[self._next % len(self._asked)]
        self._next += 1
        self._expected[connection] = expected
        connection.send(request, time.monotonic())

    def stop(self) -> None:
        self._is_over = True
        for connection in list(self._expected):
            connection.close()

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        if status != httpx.codes.OK or self._expected[connection] not in body:
            self.fault = self.fault or f"{status} {body[:300]!r}"
            return
        self.answered_count += 1
        if not self._is_over:
            self.send(connection)

    def lost(self, connection: Connection) -> None:
        if not self._is_over:
            self.fault = self.fault or "a connection was lost"

    def garbled(self, error: ValueError) -> None:
        self.fault = self.fault or str(error)


def _environment(folder: Path, database_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLAMEWIRE_")}
    return {
        **kept,
        "FLAMEWIRE_DATA_DIR": str(folder),
        "FLAMEWIRE_DATABASE_URL": database_url,
        "FLAMEWIRE_REQUESTS_PER_MINUTE_MAX": "1000000000",
    }


def _prepared(environment: Mapping[str, str], accounts_count: int) -> tuple[str, list[str]]:
    """A key, and accounts with credits that the read models have."""
    projector = Child(["flamewire_ledger", "serve", "projector"], environment)
    try:
        projector.wait_until(lambda: "is up" in projector.said, "starting")
        made = Child(["flamewire_ledger", "keys", "create", "--name", MERCHANT], environment)
        made.wait_until(lambda: made.said.startswith("fw_test_"), "making a key")
        key = made.said.split()[0]
        made.stop()
        with _api(environment) as (_, (host, port)):
            headers = {"Authorization": f"Bearer {key}"}
            base_url = f"http://{host}:{port}"
            with httpx.Client(base_url=base_url, headers=headers, timeout=30) as client:
                accounts = open_accounts(client, accounts_count)
                last = client.get(f"/v1/credit_accounts/{accounts[-1]}")  # waits for its read model
                if last.status_code != httpx.codes.OK:
                    raise BenchmarkFailed(last.text)
        return key, accounts
    finally:
        projector.stop()


@contextmanager
def _api(environment: Mapping[str, str]) -> Iterator[tuple[Child, tuple[str, int]]]:
    port = free_port()
    child = Child(["flamewire_ledger", "serve", "api", "--port", str(port)], environment)
    try:
        child.wait_until(lambda: _is_alive(port), "starting")
        yield child, ("127.0.0.1", port)
    finally:
        child.stop()


def _is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
