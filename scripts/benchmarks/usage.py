"""POST /v1/usage in batches of a thousand items, with the read models projected beside it; and 100 000
records of usage rated into the lines of a bill.

Every item is a CloudEvent of its own with an id that nobody has used, of one of a few accounts; each
burns credits. What the answers said was taken is what the log has, or there is no figure.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from flamewire_ledger.billing.pricing import Graduated, Tier
from flamewire_ledger.billing.rating import PriceEntry, PriceList, Used, rate
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.store.statements import read_statements
from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.load.connection import Connection, connect
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import in_words, split
from scripts.benchmarks.query import Load, _api, _costs, _environment, _prepared
from scripts.benchmarks.running import Child
from scripts.benchmarks.servers import postgres_server

SECONDS: Final = 10.0
ITEMS: Final = 1_000
RECORDS: Final = 100_000
_CONNECTIONS: Final = 4
_ACCOUNTS: Final = 20
_QUIET_SECONDS_MAX: Final = 30.0
_CLIENT: Final = "client"
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}


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
            _define(address, key)
            pids = {"API": child.pid, "projector": projector.pid, "Postgres": server.pid}
            client = _Client(key, accounts)
            load = asyncio.run(_measure(pids, address, client, options))
        _prove(server.url, client.accepted)
        reference = _copy_rate(server.url, min(3.0, options.measured_seconds))
    figure = Figure(
        "usage in batches of 1 000, burning credits",
        load.rate,
        "items/s",
        reference,
        "COPY of the same items into a table with their key, 1 000 a commit",
        20_000,
        note=in_words(load.parts),
    )
    return [figure, _rating()]


def _rating() -> Figure:
    """Aggregated hours of many groups into lines; the reference only adds the quantities up."""
    tiers = (Tier(Decimal(10_000), Decimal("0.0002")), Tier(None, Decimal("0.0001")))
    prices = PriceList((PriceEntry("me_calls", Graduated(tiers), "calls"),))
    usage = [
        Used("me_calls", {"method": f"m{n % 50}"}, Decimal(n % 997) / 10) for n in range(RECORDS)
    ]
    began = time.perf_counter()
    rate(usage, prices, Asset("USD", 2))
    taken = time.perf_counter() - began
    began = time.perf_counter()
    sum((used.quantity for used in usage), Decimal(0))
    reference = time.perf_counter() - began
    return Figure(
        "100 000 records of usage rated into lines", taken, "s", reference,
        "their quantities added up", 2.0, less_is_better=True,
    )  # fmt: skip


def _define(address: tuple[str, int], key: str) -> None:
    host, port = address
    body = {
        "name": "Calls",
        "event_type": "rpc.call",
        "aggregation": "sum",
        "value_key": "units",
        "group_by": ["method"],
        "credit_price": {"model": "standard", "unit_price": "0.000001"},
        "on_insufficient": "record_unpaid",
    }
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"http://{host}:{port}/v1/meters", json=body, headers=headers, timeout=30)
    if answer.status_code != httpx.codes.CREATED:
        raise BenchmarkFailed(answer.text)


async def _measure(
    pids: Mapping[str, int], address: tuple[str, int], client: _Client, options: Options
) -> Load:
    for _ in range(_CONNECTIONS):
        client.send(await connect(address, client))
    await asyncio.sleep(options.warm_up_seconds)
    began, before, spent = time.perf_counter(), client.accepted, _costs(pids)
    await asyncio.sleep(options.measured_seconds)
    taken, seconds = client.accepted - before, time.perf_counter() - began
    parts = split(spent, _costs(pids), max(taken, 1))
    client.is_over = True
    await asyncio.wait_for(client.quiet.wait(), _QUIET_SECONDS_MAX)
    if client.fault is not None:
        raise BenchmarkFailed(client.fault)
    return Load(taken / seconds, parts)


class _Client:
    """Sends another batch of one account on each connection as soon as it was answered."""

    def __init__(self, key: str, accounts: list[str]) -> None:
        self.accepted = 0
        self.fault: str | None = None
        self.is_over = False
        self.waiting = 0
        self.quiet = asyncio.Event()  # once it is over, and everything was answered
        self._head = (
            f"POST /v1/usage HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/cloudevents-batch+json\r\nContent-Length: "
        )
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._templates = [_template(account) for account in accounts]

    def send(self, connection: Connection) -> None:
        number = next(self._numbers)
        template = self._templates[number % len(self._templates)]
        body = template.replace("§", f"{self._prefix}-{number}").encode()
        self.waiting += 1
        connection.send(f"{self._head}{len(body)}\r\n\r\n".encode() + body, time.monotonic())

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        self.waiting -= 1
        if self.is_over and not self.waiting:
            self.quiet.set()
        if status != httpx.codes.OK or json.loads(body)["accepted"] != ITEMS:
            self.fault = self.fault or f"{status} {body[:300]!r}"
            return
        self.accepted += ITEMS
        if self.is_over:
            connection.close()
        else:
            self.send(connection)

    def lost(self, connection: Connection) -> None:
        if not self.is_over:
            self.fault = self.fault or "a connection was lost"

    def garbled(self, error: ValueError) -> None:
        self.fault = self.fault or str(error)


def _template(account: str) -> str:
    """A batch, with § where what is different each time belongs."""
    now = datetime.now(UTC)
    return json.dumps([_item(account, number, now) for number in range(ITEMS)], ensure_ascii=False)


def _item(account: str, number: int, now: datetime) -> dict[str, Any]:
    at = now - timedelta(seconds=number % 600)
    return {
        "specversion": "1.0",
        "id": f"§-{number}",
        "source": "gateway/eu-1",
        "type": "rpc.call",
        "subject": account,
        "time": at.isoformat().replace("+00:00", "Z"),
        "data": {"method": f"eth_method_{number % 8}", "units": number % 7 + 1},
    }


def _prove(url: str, accepted: int) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute(_SQL["recorded"]).fetchone()
    if row is None or row[0] != accepted:
        raise BenchmarkFailed(f"{accepted} items were taken, and the log has {row and row[0]}")


def _copy_rate(url: str, seconds: float) -> float:
    """Items a second that Postgres takes in as rows."""
    template = _template("ca_reference")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SQL["make_reference"])
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            items = json.loads(template.replace("§", str(done)))
            with connection.transaction(), connection.cursor().copy(_SQL["copy_in"]) as copy:
                for item in items:
                    copy.write_row((item["source"], item["id"], json.dumps(item)))
            done += ITEMS
        taken = time.perf_counter() - began
        connection.execute(_SQL["drop_reference"])
    return done / taken
