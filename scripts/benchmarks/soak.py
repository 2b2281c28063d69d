"""Ten minutes of load on the whole ledger: nothing may grow, fall behind or get lost.

Batches are due at an even rate. With --kill, a writer (an API process), the projector (the backstage)
and RabbitMQ are killed in turn as it goes; the first two are started again by the ledger, the broker
by this. In the end every acknowledged command is looked up, and `flamewire verify` is asked.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psutil
import psycopg

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.insert_reference import COMMANDS
from scripts.benchmarks.load.plan import percentile
from scripts.benchmarks.load.process import LoadProcess
from scripts.benchmarks.load.verify import Lag, lag_of, wait_until_projected
from scripts.benchmarks.measuring import Measured, prepared
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import API, BACKSTAGE, CARETAKER, WHOLE, cost
from scripts.benchmarks.progress import say
from scripts.benchmarks.running import RunningLedger, everything

SECONDS: Final = 600.0
RATE: Final = 8_000.0
CONNECTIONS: Final = 8
SAMPLES: Final = 20  # of a run: one in 30 s of ten minutes
KILLS: Final = 7  # of a run: each of the three twice, and the writer once more
_BROKER: Final = "RabbitMQ"
_OF_THE_LEDGER: Final = (API, BACKSTAGE, CARETAKER, WHOLE)
_GROWTH_MEGABYTES_A_MINUTE_MAX: Final = 2.0
_SETTLING_SHARE: Final = 1 / 3  # of a process's samples: until its caches are full it may grow
_SETTLED_SECONDS_MIN: Final = 60.0
_LAG_SECONDS_MAX: Final = 1.0
_BACK_SECONDS_MAX: Final = 30.0


@dataclass(slots=True)
class Watch:
    """Called all along: takes samples when they are due, and kills what is next."""

    ledger: RunningLedger
    connection: psycopg.Connection[Any]
    seconds: float
    kills: Iterator[str]
    began: float = 0.0
    samples_taken: int = 0
    killed: list[str] = field(default_factory=list)
    memory: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=dict)
    worst: Lag = field(default_factory=lambda: Lag(0, 0.0))

    def __call__(self, load: LoadProcess) -> None:
        if load.phase != "measuring":
            return
        self.began = self.began or time.monotonic()
        elapsed = time.monotonic() - self.began
        if elapsed >= self.samples_taken * self.seconds / SAMPLES:
            self.samples_taken += 1
            self._sample(elapsed, load.acknowledged)
        if elapsed >= (len(self.killed) + 1) * self.seconds / (KILLS + 1):
            part = next(self.kills, None)
            if part is not None:
                self._kill(part, elapsed)

    def _sample(self, elapsed: float, acknowledged: int) -> None:
        lag = lag_of(self.connection)
        self.worst = max(self.worst, lag, key=lambda it: it.seconds)
        words = []
        for part, processes in self.ledger.parts().items():
            for process in processes if part in _OF_THE_LEDGER else []:
                spent = cost([process])
                self.memory.setdefault((part, process.pid), []).append(
                    (elapsed, spent.private_bytes)
                )
                words.append(f"{part} {process.pid} {spent.resident_bytes / 1e6:.0f} MB")
            if part not in _OF_THE_LEDGER:
                all_of_it = cost(processes).private_bytes / 1e6
                words.append(f"{part} ({len(processes)} processes) {all_of_it:.0f} MB of its own")
        say(
            f"{elapsed:6.0f} s  {acknowledged:,} commands, lag {lag.events:,} events"
            f" {lag.seconds:.2f} s; " + ", ".join(words)
        )

    def _kill(self, part: str, elapsed: float) -> None:
        """kill -9; whoever is to start it again is given the time to."""
        self.killed.append(part)
        if part == _BROKER:
            assert self.ledger.rabbitmq is not None
            self.ledger.rabbitmq.kill()
            self.ledger.rabbitmq.start()
            say(f"{elapsed:6.0f} s  killed {part} and started it again")
            return
        victims = self.ledger.parts().get(part)
        if not victims:
            raise BenchmarkFailed(f"there is no process that is the {part} alone to be killed")
        os.kill(victims[0].pid, signal.SIGKILL)
        say(f"{elapsed:6.0f} s  killed {part} {victims[0].pid}")
        self._wait_until_back(part, victims[0])

    def _wait_until_back(self, part: str, victim: psutil.Process) -> None:
        deadline = time.monotonic() + _BACK_SECONDS_MAX
        while not [it for it in self.ledger.parts().get(part, []) if it != victim]:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"nobody started the {part} again after it was killed")
            time.sleep(0.1)


def run(options: Options) -> list[Figure]:
    with everything(workers=options.workers) as ledger:
        return measure(ledger, options.lasting(SECONDS))


def measure(ledger: RunningLedger, options: Options) -> list[Figure]:
    session = prepared(ledger, options)
    rate = options.commands_per_second or RATE
    batch = int(min(COMMANDS, max(1, rate / 2)))
    plan = session.plan(
        "consume_batch",
        batch=batch,
        connections=CONNECTIONS,
        requests_per_second=rate / batch,
        drain_seconds=120.0,  # after a kill near the end, the backlog is worth waiting for
    )
    kills = itertools.islice(itertools.cycle((API, BACKSTAGE, _BROKER)), KILLS)
    with psycopg.connect(ledger.database_url, autocommit=True) as connection:
        watch = Watch(
            ledger, connection, options.measured_seconds, kills if options.kill else iter(())
        )
        measured = session.load(f"soak, {rate:,.0f} commands/s", plan, watch)
        lag = lag_of(connection)
    caught_up = wait_until_projected(ledger.database_url)
    say(f"lag in the end {lag.events:,} events, {lag.seconds:.2f} s; none after {caught_up:.2f} s")
    proved = session.prove(read_models=True)
    say(f"{proved.commands:,} acknowledged commands are there, once; asking flamewire verify")
    verified = ledger.flamewire("verify")
    if verified.returncode:
        raise BenchmarkFailed(f"flamewire verify: {verified.stdout}{verified.stderr}")
    return _figures(rate, measured, watch, lag)


def _figures(rate: float, measured: Measured, watch: Watch, lag: Lag) -> list[Figure]:
    result = measured.result
    killed = ", ".join(watch.killed) or "nothing"
    fastest, of_whom = max(
        ((_megabytes_a_minute(samples), part) for (part, _), samples in watch.memory.items()),
        default=(0.0, "nobody"),
    )
    return [
        Figure(
            "soak: batches, everything running", result.commands_per_second, "commands/s", rate,
            "what was due", ratio_target=0.98,
            note=f"{measured.note}; killed: {killed}; {result.resent_requests} requests sent again;"
            f" every one of {result.acknowledged:,} commands found; verify: all of it is true",
        ),
        Figure(
            "soak: answer, p99", percentile(measured.latencies, 0.99), "ms",
            percentile(measured.latencies, 0.5), "p50", less_is_better=True,
        ),
        Figure(
            "soak: lag of the slowest read model in the end", lag.seconds, "s",
            watch.worst.seconds, "the worst sample", _LAG_SECONDS_MAX, less_is_better=True,
        ),
        Figure(
            "soak: memory, of the process that grows most", fastest, "MB a minute",
            _GROWTH_MEGABYTES_A_MINUTE_MAX, "what is taken for flat",
            _GROWTH_MEGABYTES_A_MINUTE_MAX, less_is_better=True, note=of_whom,
        ),
    ]  # fmt: skip


def _megabytes_a_minute(samples: Sequence[tuple[float, int]]) -> float:
    """The slope of the line through the samples of a process, without those while it settled."""
    settled = samples[int(len(samples) * _SETTLING_SHARE) :]
    if not settled or settled[-1][0] - settled[0][0] < _SETTLED_SECONDS_MIN:
        return 0.0  # it did not live long enough to tell
    times, sizes = [at for at, _ in settled], [size for _, size in settled]
    at, size = sum(times) / len(times), sum(sizes) / len(sizes)
    spread = sum((it - at) ** 2 for it in times)
    together = sum((t - at) * (s - size) for t, s in settled)
    return together / spread * 60 / 1e6 if spread else 0.0
