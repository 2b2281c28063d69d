"""What the API keeps in memory: it must not grow with the log."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from typing import Final
from uuid import UUID

import httpx
import psutil

from flamewire_ledger.store.event_store import Append, NewEvent, StreamAppend
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.servers import postgres

EVENTS: Final = 1_000_000
_BATCH: Final = 2_000
_DATA: Final = b'{"account_id":"ca_0","amount":{"asset":"CREDIT","decimals":6,"units":"1"},"slices":[],"postings":[]}'


def run() -> list[Figure]:
    with postgres() as url:
        empty = _resident_megabytes(url)
        asyncio.run(_fill(url))
        full = _resident_megabytes(url)
    return [
        Figure(
            f"resident memory of the API at {EVENTS:,} events", full, "MB", empty,
            "the same with an empty log", 200, less_is_better=True,
        )
    ]  # fmt: skip


async def _fill(url: str) -> None:
    """Events of a thousand streams; each batch is one event a command."""
    async with PostgresEventStore(url) as store:
        for first in range(0, EVENTS, _BATCH):
            await store.append(0, [_append(number) for number in range(first, first + _BATCH)])


def _append(number: int) -> Append:
    version, stream = divmod(number, 1000)
    event = NewEvent("credit_account.consumed.v1", _DATA)
    streams = (StreamAppend(f"ca_{stream}", version, (event,)),)
    return Append(UUID(int=number + 1), b"", "mer_0", b"{}", streams)


def _resident_megabytes(url: str) -> float:
    """Of `flamewire serve api`, after it has answered for a while."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "FLAMEWIRE_DATABASE_URL": url}
    command = [sys.executable, "-m", "flamewire_ledger", "serve", "api", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                _wait_until_alive(client)
                for _ in range(500):
                    client.get("/health/ready")
                    client.get("/openapi.json")
            return float(psutil.Process(process.pid).memory_info().rss / 1e6)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_alive(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.get("/health/live").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("the API did not start")
