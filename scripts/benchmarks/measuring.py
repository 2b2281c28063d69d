"""One load on one running ledger: this file holds how it is sent, what it cost, and how it is judged."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.benchmarks.figure import Spread
from scripts.benchmarks.load.accounts import open_accounts
from scripts.benchmarks.load.plan import Plan, Result, Work, percentile
from scripts.benchmarks.load.process import LoadProcess
from scripts.benchmarks.load.verify import (
    Verified,
    head_of,
    require_sound,
    verify,
    wait_until_projected,
)
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import in_words, split
from scripts.benchmarks.progress import shown
from scripts.benchmarks.running import RunningLedger

GENERATOR: Final = "load generator"
WINDOWS: Final = 12  # of a sustained run, to see whether it holds
_WINDOW_SECONDS_MIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one load."""

    result: Result
    parts: Mapping[str, float]  # µs of processor time a command, by part

    @property
    def latencies(self) -> list[float]:
        """Sorted, in milliseconds."""
        return [1e3 * seconds for seconds in self.result.measured_latencies()]

    @property
    def note(self) -> str:
        """Where the time of the processor went, and how long answers took."""
        waited = self.latencies
        p50, p99 = percentile(waited, 0.5), percentile(waited, 0.99)
        words = f"{in_words(self.parts)}; answer p50 {p50:.1f}, p99 {p99:.1f} ms"
        unsent = len(self.result.unsent_waits)
        return words + (f"; {unsent:,} requests due and not sent in time" if unsent else "")


@dataclass(slots=True)
class Session:
    """Loads on one ledger, and their proof in the end. Accounts are opened before the first."""

    ledger: RunningLedger
    options: Options
    accounts: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    after: int = 0

    def prepare(self) -> None:
        with self.ledger.client() as client:
            self.accounts = open_accounts(client, self.options.accounts)
        self.after = head_of(self.ledger.database_url)

    def plan(self, work: Work, **given: Any) -> Plan:
        """A plan for this ledger; keys that nobody has used."""
        ledger, options = self.ledger, self.options
        wanted: dict[str, Any] = {
            "addresses": ledger.addresses,
            "key": ledger.key,
            "merchant_id": ledger.merchant_id,
            "accounts": self.accounts,
            "prefix": f"{work}-{secrets.token_hex(4)}",
            "warm_up_seconds": options.warm_up_seconds,
            "seconds": options.measured_seconds,
        }
        return Plan(work=work, **{**wanted, **given})

    def load(
        self,
        what: str,
        plan: Plan,
        meanwhile: Callable[[LoadProcess], None] = lambda _: None,
    ) -> Measured:
        """Send it, and sample what each part costs over the measured time."""
        with LoadProcess(plan) as load, shown(what, load) as show:
            load.wait_for("measuring", show)
            before = self.ledger.costs()

            def watch() -> None:
                show()
                meanwhile(load)

            result = load.result(watch)
        after = self.ledger.costs()
        require_sound(result)
        self.results.append(result)
        commands = max(1, result.measured_commands)
        parts = {**split(before, after, commands), GENERATOR: result.cpu_seconds / commands * 1e6}
        return Measured(result, parts)

    def prove(self, *, read_models: bool) -> Verified:
        """Every acknowledged command of all loads so far is there, once; raises NotAsAcknowledged."""
        url = self.ledger.database_url
        if read_models:
            wait_until_projected(url)
        return verify(url, self.results, after=self.after, read_models=read_models)


def prepared(ledger: RunningLedger, options: Options) -> Session:
    """A session with its accounts."""
    session = Session(ledger, options)
    session.prepare()
    return session


def sustained(result: Result) -> Spread:
    """Value, low and high of a long run, as a Figure takes them: its rate over all of the time, and
    those of its slowest and fastest window.
    """
    seconds = result.ended_at - result.began_at
    windows = result.rates(max(1, min(WINDOWS, int(seconds / _WINDOW_SECONDS_MIN))))
    rate = result.commands_per_second
    return {"value": rate, "low": min(rate, *windows), "high": max(rate, *windows)}
