"""How long until what was done is seen: commands in their read models, transfers in their payments.

Commands are due at an even rate, ten a request, whatever the answers (open loop), and are looked for by SQL in the
checkpoints of the read models every few milliseconds. An event is visible when it may be read, and it
counts from the time the database gave it while appending, so that its commit is part of the wait.

Meanwhile payers of the sandbox pay intents. From the moment a transfer is recorded as detected, the
intent is asked for over HTTP until it says `succeeded`; the chain's own finality is part of that.
"""

from __future__ import annotations

import bisect
import itertools
import secrets
import threading
import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psycopg

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.load.plan import longs, percentile
from scripts.benchmarks.load.verify import checkpoints_of, detected_at, recorded_at
from scripts.benchmarks.measuring import prepared
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, everything

SECONDS: Final = 30.0
RATE: Final = 3_000.0
COMMANDS: Final = 10  # a request: what comes to a gateway within three milliseconds
CONNECTIONS: Final = 16
ITS_READ_MODEL: Final = "credit_balance"
_VISIBLE_MILLISECONDS_MAX: Final = 300.0
_PAID_SECONDS_MAX: Final = 1.0
_LOOK_SECONDS: Final = 0.003
_ASK_SECONDS: Final = 0.02
_PAYMENTS_PER_SECOND: Final = 2.0
_SETTLE_SECONDS_MAX: Final = 30.0


@dataclass(slots=True)
class Sightings:
    """What was seen of a read model: at these times it had come to these positions."""

    times: array[float] = field(default_factory=lambda: array("d"))
    positions: array[int] = field(default_factory=lambda: array("q"))

    def see(self, at: float, position: int) -> None:
        if not self.positions or position > self.positions[-1]:
            self.times.append(at)
            self.positions.append(position)

    def first_with(self, position: int) -> float | None:
        """When it was first seen to have that position."""
        place = bisect.bisect_left(self.positions, position)
        return self.times[place] if place < len(self.times) else None


class Lookout(threading.Thread):
    """Looks at all checkpoints every few milliseconds until it is told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.models: dict[str, Sightings] = {}
        self.slowest = Sightings()
        self._url = url
        self._ended = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.wait(_LOOK_SECONDS):
                found = checkpoints_of(connection)
                now = time.time()  # after the answer: never earlier than it was visible
                for name, position in found.items():
                    self.models.setdefault(name, Sightings()).see(now, position)
                self.slowest.see(now, min(found.values()))

    def stop(self) -> None:
        self._ended.set()
        self.join(10)


class Payers(threading.Thread):
    """Payment intents, paid on the sandbox chain and asked for until they have succeeded."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self.succeeded_at: dict[str, float] = {}
        self.error: Exception | None = None
        self._client = client
        self._ended = threading.Event()

    def run(self) -> None:
        waiting: set[str] = set()
        next_at = time.monotonic()
        try:
            while not self._ended.is_set() or waiting:
                if not self._ended.is_set() and time.monotonic() >= next_at:
                    waiting.add(self._pay())
                    next_at += 1 / _PAYMENTS_PER_SECOND
                for payment in sorted(waiting):
                    if self._status(payment) == "succeeded":
                        self.succeeded_at[payment] = time.time()
                        waiting.remove(payment)
                time.sleep(_ASK_SECONDS)
        except (httpx.HTTPError, BenchmarkFailed) as error:
            self.error = error

    def stop(self) -> None:
        """Once what has been paid is settled."""
        self._ended.set()
        self.join(_SETTLE_SECONDS_MAX)
        if self.error is not None:
            raise BenchmarkFailed(f"a sandbox payment: {self.error}")
        if self.is_alive():
            raise BenchmarkFailed(f"sandbox payments do not succeed in {_SETTLE_SECONDS_MAX:g} s")

    def _pay(self) -> str:
        ways = [{"network": "bittensor", "asset": "TAO"}]
        body = {"amount": "25.00", "currency": "USD", "pay_with": ways}
        payment = str(self._post("/v1/payment_intents", body)["id"])
        self._post("/v1/sandbox/transfers", {"payment_intent_id": payment})
        return payment

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        key = {"Idempotency-Key": f"payer-{secrets.token_hex(8)}"}
        answer = self._client.post(path, json=body, headers=key)
        if answer.is_error:
            raise BenchmarkFailed(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())

    def _status(self, payment: str) -> str:
        return str(self._client.get(f"/v1/payment_intents/{payment}").json().get("status"))


def run(options: Options) -> list[Figure]:
    with everything(workers=options.workers) as ledger:
        return measure(ledger, options.lasting(SECONDS))


def measure(ledger: RunningLedger, options: Options) -> list[Figure]:
    session = prepared(ledger, options)
    rate = options.commands_per_second or RATE
    lookout = Lookout(ledger.database_url)
    lookout.start()
    with ledger.client() as client:
        payers = Payers(client)
        payers.start()
        plan = session.plan(
            "consume_batch",
            batch=COMMANDS,
            connections=CONNECTIONS,
            requests_per_second=rate / COMMANDS,
        )
        try:
            measured = session.load(f"{rate:,.0f} commands/s", plan)
        finally:
            payers.stop()
    session.prove(read_models=True)  # only when all is projected: the lookout has seen the last
    time.sleep(10 * _LOOK_SECONDS)
    lookout.stop()
    result = measured.result
    recorded = _recorded(ledger, result.began_at, longs(result.positions))
    own = _waits(recorded, lookout.models[ITS_READ_MODEL])
    every = _waits(recorded, lookout.slowest)
    paid = sorted(_paid(ledger, payers.succeeded_at, result.began_at))
    return _figures(rate, own, every, paid, measured.note)


def _figures(
    rate: float, own: Sequence[float], every: Sequence[float], paid: Sequence[float], note: str
) -> list[Figure]:
    name = f"append → visible at {rate:,.0f} commands/s"
    return [
        Figure(
            f"{name}, its read model, p99", percentile(own, 0.99), "ms",
            percentile(own, 0.5), "p50", _VISIBLE_MILLISECONDS_MAX, less_is_better=True,
            note=f"{len(own):,} commands; {note}",
        ),
        Figure(
            f"{name}, every read model, p99", percentile(every, 0.99), "ms",
            percentile(every, 0.5), "p50", less_is_better=True,
        ),
        Figure(
            "sandbox transfer detected → intent reads succeeded, p95", percentile(paid, 0.95), "s",
            percentile(paid, 0.5), "p50", _PAID_SECONDS_MAX, less_is_better=True,
            note=f"{len(paid)} payments",
        ),
    ]  # fmt: skip


def _recorded(ledger: RunningLedger, began: float, positions: Iterable[int]) -> dict[int, float]:
    """When the acknowledged commands of the measured time were recorded, by position."""
    wanted = set(positions)
    with psycopg.connect(ledger.database_url) as connection:
        found = recorded_at(connection, min(wanted) - 1, max(wanted))
    return {p: at for p, at in found if p in wanted and at >= began}


def _waits(recorded: dict[int, float], seen: Sightings) -> list[float]:
    """Milliseconds from the append to the sight of each, sorted."""
    waits = [(seen.first_with(position), at) for position, at in recorded.items()]
    return sorted(1e3 * (sight - at) for sight, at in waits if sight is not None)


def _paid(ledger: RunningLedger, succeeded_at: dict[str, float], began: float) -> Iterable[float]:
    with psycopg.connect(ledger.database_url) as connection:
        detected = detected_at(connection, list(succeeded_at))
    found = ((succeeded_at[payment], at) for payment, at in detected.items() if at >= began)
    return itertools.starmap(lambda succeeded, at: succeeded - at, found)
