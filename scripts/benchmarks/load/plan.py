"""What the load generator is told, and what it brings back: this file holds both, as they cross the process border.

Numbers travel as raw arrays in one file, because a run of ten minutes acknowledges millions of
commands.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

Work: TypeAlias = Literal["consume", "consume_batch", "payment_batch", "get"]
EVENTS_OF: Final = {"consume": 1, "consume_batch": 1, "payment_batch": 3, "get": 0}
UNITS_DIFFERENT: Final = 9  # amounts go round, so that two answers taken for each other are noticed


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the generator. `requests_per_second` None: every connection sends as soon as it was
    answered, for the largest figure; else requests are due on time, whatever the answers.
    """

    addresses: list[tuple[str, int]]
    work: Work
    prefix: str  # of idempotency keys: unique for each run on a database
    key: str = ""
    merchant_id: str = ""
    accounts: list[str] = []
    batch: int = 1  # commands a request
    connections: int = 1  # and so the most requests in flight
    requests_per_second: float | None = None
    warm_up_seconds: float = 1.0
    seconds: float = 1.0
    drain_seconds: float = 30.0  # for what is in flight at the end
    answer_seconds_max: float = 30.0  # then the connection is given up, and the same sent again
    tries_max: int = 1_000
    retry_pause_seconds: float = 0.05
    backlog_requests_max: int = 1_000_000  # due and not sent; more are dropped, and reported

    @property
    def events_each(self) -> int:
        return EVENTS_OF[self.work]

    def command_key(self, number: int) -> str:
        """The idempotency key of a command."""
        return f"{self.prefix}-{number}"

    def account_of(self, number: int) -> str:
        return self.accounts[number % len(self.accounts)]


def units_of(number: int) -> int:
    """How many base units the command of this number burns."""
    return 1 + number % UNITS_DIFFERENT


class Result(msgspec.Struct, kw_only=True):
    """What came of a plan. Times are seconds since the epoch; requests appear in the order of their
    answers. A request's commands are numbered request × batch onwards.
    """

    plan: Plan
    requests: bytes  # array q: numbers of the requests that were acknowledged
    positions: bytes  # array q: one for each command of them
    answered_at: bytes  # array d
    latencies: bytes  # array d: from when it was due; open loop only counts from the schedule
    ids: list[str]  # of what was made, for payments
    began_at: float  # the measured time, without the warm-up
    ended_at: float
    due_requests: int
    unsent_waits: list[float]  # how long those had waited in the end that were due and never sent
    dropped_requests: int
    abandoned: list[int]  # requests whose fate nobody was told: they may be in the store
    resent_requests: int
    lost_connections: int
    replayed: int
    refused: dict[str, int]  # by code: answers that are no success and no invitation to come again
    refusal: str | None  # the first of them, in words
    cpu_seconds: float  # of the generator, since the warm-up
    peak_in_flight: int

    @property
    def acknowledged(self) -> int:
        """Commands, those of the warm-up too."""
        return len(self.positions) // 8

    def positions_by_request(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Each acknowledged request's number with the positions of its commands."""
        batch, positions = self.plan.batch, longs(self.positions)
        for place, number in enumerate(longs(self.requests)):
            yield number, positions[place * batch : (place + 1) * batch]

    @property
    def measured_commands(self) -> int:
        """Those that were acknowledged since the warm-up, until the last answer came."""
        return self.plan.batch * sum(at >= self.began_at for at in doubles(self.answered_at))

    @property
    def commands_per_second(self) -> float:
        """Of all that time: what was on its way in the end counts, and so does waiting for it."""
        answered = doubles(self.answered_at)
        last = max(self.ended_at, answered[-1] if answered else 0.0)
        return self.measured_commands / (last - self.began_at)

    def rates(self, windows: int) -> list[float]:
        """Commands acknowledged a second in each of so many equal parts of the measured time."""
        counts = [0] * windows
        width = (self.ended_at - self.began_at) / windows
        for at in doubles(self.answered_at):
            place = int((at - self.began_at) // width)
            if 0 <= place < windows:
                counts[place] += self.plan.batch
        return [count / width for count in counts]

    def measured_latencies(self) -> list[float]:
        """Sorted; of answers in the measured time, and of what was due and never sent, as long as it
        had waited by then: leaving those out would be the omission this generator is there to avoid.
        """
        pairs = zip(doubles(self.answered_at), doubles(self.latencies), strict=True)
        # Answers to the end's backlog come later than the measured time, and are the slowest of all.
        found = [latency for at, latency in pairs if at >= self.began_at]
        return sorted(found + self.unsent_waits)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so much of all (0.99: 99 %) is not above; of nothing, 0."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def longs(data: bytes) -> array[int]:
    return array("q", data)


def doubles(data: bytes) -> array[float]:
    return array("d", data)


def write_result(result: Result, path: Path) -> None:
    path.write_bytes(msgspec.msgpack.encode(result))


def read_result(path: Path) -> Result:
    return msgspec.msgpack.decode(path.read_bytes(), type=Result)
