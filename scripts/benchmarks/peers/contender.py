"""Who takes part: this file holds the contender, what a run of it is, and the check that it is true."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.processes import cost, tree


class PeerMissing(Exception):
    """It cannot be had on this machine; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one run. `acknowledged` counts warming up too, which the rate does not."""

    transfers_a_second: float
    acknowledged: int
    processor_us: float  # a transfer, of client, server and Postgres


@dataclass(frozen=True, slots=True)
class Contender:
    """`key` is what comparisons call it, `label` what is printed. `recorded` asks `url` for three
    numbers: transfers, how many were debited, how many were credited.
    """

    key: str
    label: str
    url: str
    recorded: str
    measure: Callable[[float], Measured]


def measure(contender: Contender, seconds: float) -> Measured:
    """One run; raises BenchmarkFailed unless the database gained what was acknowledged."""
    with psycopg.connect(contender.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # nobody writes down the pages of the one before
        before = _recorded(connection, contender)
        measured = contender.measure(seconds)
        gained = _recorded(connection, contender) - before
    if gained != measured.acknowledged or not gained:
        raise BenchmarkFailed(
            f"{contender.label} acknowledged {measured.acknowledged} transfers"
            f" and its database gained {gained}: this run says nothing."
        )
    return measured


def measured_between(work: Callable[[], tuple[int, float]]) -> Measured:
    """Around `work`, which returns how many transfers were acknowledged in how many seconds."""
    before = processor_seconds()
    done, seconds = work()
    spent = processor_seconds() - before
    return Measured(done / seconds, done, spent / max(done, 1) * 1e6)


def processor_seconds() -> float:
    """Of this process and all below it: Postgres, servers, clients."""
    return cost(tree(os.getpid())).processor_seconds


def _recorded(connection: psycopg.Connection, contender: Contender) -> int:
    row = connection.execute(contender.recorded.encode()).fetchone()
    assert row is not None
    transfers, debited, credited = (int(value or 0) for value in row)
    if not transfers == debited == credited:
        raise BenchmarkFailed(
            f"{contender.label} has {transfers} transfers,"
            f" of which {debited} were debited and {credited} credited: its books do not balance."
        )
    return transfers
