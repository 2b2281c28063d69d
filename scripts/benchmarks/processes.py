"""What processes cost: this file holds processor time and memory by the part a process plays.

Parts are told by what a process is connected to and listens on, not by its name: the children of `flamewire up` are
forks and look alike. Nothing here ends a process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

API = "API"
BACKSTAGE = "backstage"
WHOLE = "ledger"  # API and backstage in one
CARETAKER = "caretaker"  # starts and looks after the others


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one part, with all its processes."""

    processor_seconds: float
    resident_bytes: int
    private_bytes: int  # without what it shares with others: files, and Postgres' buffers


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it; empty when it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cost(processes: Sequence[psutil.Process]) -> Cost:
    """Of those that live, and of their children that have ended and were waited for."""
    seconds, resident, private = 0.0, 0, 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
            memory = process.memory_info()
            resident += memory.rss
            private += memory.rss - getattr(memory, "shared", 0)  # Linux tells
    return Cost(seconds, resident, private)


def parts_of_ledger(
    pids: Sequence[int], database_url: str, amqp_url: str | None
) -> Mapping[str, list[psutil.Process]]:
    """The processes of these ledgers by part. The database server is to be no child of theirs."""
    postgres, broker = urlsplit(database_url).port, urlsplit(amqp_url or "").port
    found: dict[str, list[psutil.Process]] = {}
    for pid in pids:
        below = tree(pid)
        for process in below:
            ports, listens = _network_of(process)
            if broker in ports:
                part = WHOLE if len(below) == 1 else BACKSTAGE
            elif postgres in ports:
                part = API if listens else BACKSTAGE  # whose broker has just gone
            else:
                part = CARETAKER
            found.setdefault(part, []).append(process)
    return found


def _network_of(process: psutil.Process) -> tuple[set[int], bool]:
    """The ports at the other end of its connections, other than its clients'; whether it has clients."""
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return set(), False
    ports = {it.raddr.port for it in connections if it.raddr and it.status == "ESTABLISHED"}
    return ports, any(it.status == "LISTEN" for it in connections)


def split(before: Mapping[str, Cost], after: Mapping[str, Cost], units: int) -> Mapping[str, float]:
    """µs of processor time a unit, by part. What a process that was killed had used is not known."""
    return {
        part: max(0.0, after[part].processor_seconds - before[part].processor_seconds)
        / max(1, units)
        * 1e6
        for part in after
        if part in before
    }


def in_words(parts: Mapping[str, float]) -> str:
    """`41 µs: API 22, Postgres 15, load generator 4`."""
    listed = ", ".join(f"{part} {spent:.0f}" for part, spent in parts.items() if spent >= 0.5)
    return f"{sum(parts.values()):.0f} µs of processor time: {listed}"
