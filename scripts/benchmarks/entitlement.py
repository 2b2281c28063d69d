"""GET /v1/entitlements at two thousand a second: what a gateway waits for before each of its calls.

Requests are due at fixed times, and a wait is counted from when a request was due, not from when it
could be sent. The same server answers `/health/live` at the same rate in the same run. The client's clock
ticks in milliseconds, and what it sends late is in the wait: a finer clock spins on one of two cores,
and measures how long the server waits for the other.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import uvloop

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.load.connection import Connection, connect
from scripts.benchmarks.load.plan import percentile
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import in_words, split
from scripts.benchmarks.query import _api, _costs, _environment, _prepared
from scripts.benchmarks.running import Child
from scripts.benchmarks.servers import postgres_server

SECONDS: Final = 10.0
CHECKS_PER_SECOND: Final = 2_000.0
_ACCOUNTS: Final = 100
_CONNECTIONS: Final = 32
_TICK_SECONDS: Final = 0.001  # uvloop's timers know no less: of half of one they make none


def run(options: Options) -> list[Figure]:
    options = options.lasting(SECONDS)
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flamewire-bench-")))
        environment = _environment(folder, server.url)
        key, accounts = _prepared(environment, _ACCOUNTS)
        projector = Child(["flamewire_ledger", "serve", "projector"], environment)
        stack.callback(projector.stop)
        projector.wait_until(lambda: "is up" in projector.said, "starting")
        with _api(environment) as (child, address):
            _grant(address, key, accounts)
            head = f"Host: bench\r\nAuthorization: Bearer {key}\r\n\r\n"
            checks = [
                f"GET /v1/entitlements/{each}/rpc HTTP/1.1\r\n{head}".encode() for each in accounts
            ]
            empty = [f"GET /health/live HTTP/1.1\r\n{head}".encode()]
            pids = {"API": child.pid, "Postgres": server.pid}
            waits, parts = uvloop.run(_paced(address, checks, pids, options))
            reference, _ = uvloop.run(_paced(address, empty, pids, options))
    p99, beside = (1e3 * percentile(sorted(each), 0.99) for each in (waits, reference))
    p50 = 1e3 * percentile(sorted(waits), 0.5)
    return [
        Figure(
            "a check of an entitlement at 2 000/s, p99", p99, "ms", beside,
            "an empty endpoint at that rate", 5.0, less_is_better=True,
            note=f"p50 {p50:.2f} ms; {in_words(parts)}",
        )
    ]  # fmt: skip


def _grant(address: tuple[str, int], key: str, accounts: Sequence[str]) -> None:
    host, port = address
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=30) as client:
        for account in accounts:
            body = {"feature": "rpc", "kind": "credits"}
            answer = client.post(f"/v1/credit_accounts/{account}/entitlements", json=body)
            found = client.get(f"/v1/entitlements/{account}/rpc")
            if answer.status_code != httpx.codes.OK or not found.json()["entitled"]:
                raise BenchmarkFailed(f"{answer.text} {found.text}")


async def _paced(
    address: tuple[str, int],
    requests: Sequence[bytes],
    pids: dict[str, int],
    options: Options,
) -> tuple[list[float], dict[str, float]]:
    """Waits in seconds over the measured time, and µs of processor time a check, by part."""
    client = _Client(requests)
    client.idle += [await connect(address, client) for _ in range(_CONNECTIONS)]
    rate = options.commands_per_second or CHECKS_PER_SECOND
    began = time.monotonic()
    measured_from = began + options.warm_up_seconds
    end = measured_from + options.measured_seconds
    spent, sent = None, 0
    while (now := time.monotonic()) < end and client.fault is None:
        if spent is None and now >= measured_from:
            spent = _costs(pids)
            client.waits.clear()
        while sent < (now - began) * rate:
            client.due(began + sent / rate)
            sent += 1
        await asyncio.sleep(_TICK_SECONDS)
    assert spent is not None, "the measured time has begun"
    parts = split(spent, _costs(pids), max(1, len(client.waits)))
    client.close()
    if client.fault is not None:
        raise BenchmarkFailed(client.fault)
    return client.waits, dict(parts)


class _Client:
    """Sends what is due on the next connection that is free."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.idle: deque[Connection] = deque()
        self.waits: list[float] = []
        self.fault: str | None = None
        self._requests = requests
        self._next = 0
        self._queue: deque[float] = deque()
        self._busy: dict[Connection, float] = {}
        self._is_over = False

    def due(self, at: float) -> None:
        self._queue.append(at)
        self._send()

    def close(self) -> None:
        self._is_over = True
        for connection in [*self.idle, *self._busy]:
            connection.close()

    def _send(self) -> None:
        while self._queue and self.idle:
            # In turn: a server closes what is idle for seconds.
            connection = self.idle.popleft()
            self._busy[connection] = self._queue.popleft()
            request = self._requests[self._next % len(self._requests)]
            self._next += 1
            connection.send(request, time.monotonic())

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        if status != httpx.codes.OK:
            self.fault = self.fault or f"{status} {body[:300]!r}"
        self.waits.append(time.monotonic() - self._busy.pop(connection))
        self.idle.append(connection)
        self._send()

    def lost(self, connection: Connection) -> None:
        if not self._is_over:
            self.fault = self.fault or "a connection was lost"

    def garbled(self, error: ValueError) -> None:
        self.fault = self.fault or str(error)
