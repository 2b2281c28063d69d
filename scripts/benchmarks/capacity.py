"""What a rate of commands needs, worked out from what was measured.

A model, not a measurement: costs are those of docs/reference/performance.md, the limits of engines
are those of one machine of a usual size, named below with their reasons. It says which part is full
first, which is what an operator wants to know before buying machines. docs/operate/scale.md holds
its table; a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

RATES: Final = (10_000, 100_000, 1_000_000)
BUSY: Final = 0.6  # of a core, so that a burst or the loss of a machine is no outage


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one command of one event: µs of processor time and bytes, all measured."""

    api_us: float  # request in a batch, decided, packed, answered
    append_us: float  # in Postgres
    relay_us: float
    project_python_us: float
    project_postgres_us: float  # all read models
    react_us: float
    wal_append_bytes: float
    wal_project_bytes: float
    stored_bytes: float  # events, commands, streams; in the long run
    message_bytes: float  # in a batch, on the wire


@dataclass(frozen=True, slots=True)
class Limits:
    """What one of each is taken to hold."""

    writer_commands: float = 15_000  # a partition: one writer, one core
    postgres_cores: float = 16
    postgres_wal_bytes: float = 250e6  # a second, on network SSDs with a synchronous standby
    broker_bytes: float = 120e6  # a second through quorum queues on three nodes, both groups
    partitions_per_database: int = 16


MEASURED: Final = Costs(
    api_us=62,
    append_us=20,
    relay_us=9,
    project_python_us=5,
    project_postgres_us=55,
    react_us=1,
    wal_append_bytes=1_950,
    wal_project_bytes=1_850,
    stored_bytes=1_740,
    message_bytes=700,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of each a rate needs, and what is full first."""

    rate: int
    partitions: int
    databases: int
    database_cores: float  # of each, in use
    wal_megabytes: float  # a second, of all
    api: int
    projectors: int
    relays: int
    reactors: int
    brokers: int  # clusters of three
    terabytes_a_month: float
    bottleneck: str


def plan(rate: int, costs: Costs = MEASURED, limits: Limits = Limits()) -> Plan:
    """What `rate` commands a second need."""
    in_postgres_us = costs.append_us + costs.project_postgres_us
    wal = rate * (costs.wal_append_bytes + costs.wal_project_bytes)
    # How full one database would be with all of it, by each of its limits.
    full = {
        "write-ahead log of Postgres": wal / limits.postgres_wal_bytes,
        "processors of Postgres": rate * in_postgres_us / 1e6 / (limits.postgres_cores * BUSY),
        "writers of one database": rate
        / (limits.writer_commands * limits.partitions_per_database * BUSY),
    }
    databases = max(1, ceil(max(full.values())))
    message_bytes = rate * costs.message_bytes * 2  # projector and reactor
    full["writer of one partition"] = rate / (limits.writer_commands * BUSY)
    full["RabbitMQ cluster"] = message_bytes / (limits.broker_bytes * BUSY)
    return Plan(
        rate=rate,
        partitions=ceil(rate / (limits.writer_commands * BUSY)),
        databases=databases,
        database_cores=rate * in_postgres_us / 1e6 / databases,
        wal_megabytes=wal / 1e6,
        api=_processes(rate, costs.api_us),
        projectors=_processes(rate, costs.project_python_us),
        relays=_processes(rate, costs.relay_us),
        reactors=_processes(rate, costs.react_us),
        brokers=max(1, ceil(full["RabbitMQ cluster"])),
        terabytes_a_month=rate * costs.stored_bytes * 86_400 * 30 / 1e12,
        bottleneck=max(full, key=lambda name: full[name]),
    )


def _processes(rate: int, microseconds: float) -> int:
    return max(1, ceil(rate * microseconds / 1e6 / BUSY))


def table() -> str:
    """The plans as the table of docs/operate/scale.md."""
    head = (
        "| commands/s | partitions | API processes | databases (cores used of each) | WAL MB/s | "
        "relays | projectors | reactors | RabbitMQ clusters | TB a month | full first |"
    )
    rows = [
        f"| {each.rate:,} | {each.partitions} | {each.api} | "
        f"{each.databases} ({each.database_cores:.1f}) | {each.wal_megabytes:,.0f} | "
        f"{each.relays} | {each.projectors} | {each.reactors} | {each.brokers} | "
        f"{each.terabytes_a_month:,.0f} | {each.bottleneck} |"
        for each in map(plan, RATES)
    ]
    return "\n".join([head, "|" + "---|" * (head.count(" | ") + 1), *rows])
