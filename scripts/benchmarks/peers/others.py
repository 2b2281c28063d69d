"""The peers as contenders: this file holds how each is installed, prepared, run and counted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from scripts.benchmarks.peers.contender import Contender
from scripts.benchmarks.peers.databases import database
from scripts.benchmarks.peers.installed import folder_of, python_of
from scripts.benchmarks.peers.program import ROOT, Program, run_once


@dataclass(frozen=True, slots=True)
class Way:
    """One way to use a peer: words for its program, and how many processes of it do best."""

    label: str
    words: tuple[str, ...]
    processes: int
    lanes: int = 1  # requests in flight in each process


EVENTSOURCING: Final = {
    "transfer": Way("get two and app.save", ("transfer",), 2),
    "save": Way("app.save alone", ("save",), 2),
    "transfer 100": Way("100 transfers in one save", ("transfer", "--transfers", "100"), 4),
    "save 100": Way("100 transfers, app.save alone", ("save", "--transfers", "100"), 4),
    "record 100": Way("recorder, 100 bare events", ("record", "--transfers", "100"), 4),
}
_EVENTSOURCING_RECORDED: Final = """
    SELECT count(*) FILTER (WHERE topic ~ '(Debited|Transferred)$'),
           sum(units) FILTER (WHERE topic ~ '(Debited|Transferred)$') / 1000,
           sum(units) FILTER (WHERE topic ~ '(Credited|Transferred)$') / 1000
    FROM (SELECT topic, (convert_from(state, 'UTF8')::jsonb ->> 'units')::bigint AS units
          FROM application_events) AS events"""
HORDAK: Final = {
    "1": Way("a transfer_to a transaction", ("transfer",), 2),
    "1000": Way("1 000 transfer_to a transaction", ("transfer", "--transfers", "1000"), 2),
}
_HORDAK_RECORDED: Final = """
    SELECT (SELECT count(*) FROM hordak_transaction), sum(debit) * 100, sum(credit) * 100
    FROM hordak_leg"""
EMMETT: Final = {
    "1": Way("an event an append", ("1",), 1, lanes=16),
    "100": Way("100 events an append", ("100",), 2, lanes=4),
}
_EMMETT_RECORDED: Final = """
    SELECT count(*),
           sum((message_data -> 'amount' ->> 'units')::bigint)
               FILTER (WHERE message_data ->> 'debit' IS NOT NULL) / 1000,
           sum((message_data -> 'amount' ->> 'units')::bigint)
               FILTER (WHERE message_data ->> 'credit' IS NOT NULL) / 1000
    FROM emt_messages"""


@contextmanager
def eventsourcing(server: EmbeddedPostgres) -> Iterator[list[Contender]]:
    """The release that the ledger itself is tested with, from its own environment."""
    url = database(server.url, "eventsourcing")
    parts = conninfo_to_dict(url)
    environment = {**os.environ, "POSTGRES_POOL_SIZE": "1"}  # one thread: it uses no more
    for name in ("dbname", "host", "port", "user", "password"):
        environment[f"POSTGRES_{name.upper()}"] = str(parts.get(name) or "")
    command = [sys.executable, "-m", "scripts.benchmarks.peers.eventsourcing.transfers"]
    # Several processes that make the tables at once fail: one does it, before.
    run_once([*command, "prepare"], environment)
    with ExitStack() as stack:
        yield [
            _contender(
                stack.enter_context(
                    Program([*command, *way.words], environment, processes=way.processes)
                ),
                ("eventsourcing", key), way, url, _EVENTSOURCING_RECORDED,
            )
            for key, way in EVENTSOURCING.items()
        ]  # fmt: skip


@contextmanager
def hordak(server: EmbeddedPostgres) -> Iterator[list[Contender]]:
    """Django in an environment of its own."""
    python = python_of("hordak")
    url = database(server.url, "hordak")
    environment = {**os.environ, "PEER_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    command: list[str | Path] = [python, "-m", "scripts.benchmarks.peers.hordak.transfers"]
    run_once([*command, "prepare"], environment)
    with ExitStack() as stack:
        yield [
            _contender(
                stack.enter_context(
                    Program([*command, *way.words], environment, processes=way.processes)
                ),
                ("hordak", key), way, url, _HORDAK_RECORDED,
            )
            for key, way in HORDAK.items()
        ]  # fmt: skip


@contextmanager
def emmett(server: EmbeddedPostgres) -> Iterator[list[Contender]]:
    """Node; each process has a pool of ten connections."""
    folder = folder_of("emmett")
    url = database(server.url, "emmett")
    environment = {**os.environ, "PEER_DATABASE_URL": url}

    def command(way: str, events: int = 1, lanes: int = 1) -> list[str]:
        words = {"way": way, "events": events, "lanes": lanes}
        return ["node", "appends.mjs", json.dumps(words)]

    run_once(command("prepare"), environment, folder)
    with ExitStack() as stack:
        yield [
            _contender(
                stack.enter_context(
                    Program(
                        command("append", int(way.words[0]), way.lanes), environment,
                        processes=way.processes, folder=folder,
                    )
                ),
                ("emmett", key), way, url, _EMMETT_RECORDED,
            )
            for key, way in EMMETT.items()
        ]  # fmt: skip


def _contender(
    program: Program, key: tuple[str, str], way: Way, url: str, recorded: str
) -> Contender:
    processes = "1 process" if way.processes == 1 else f"{way.processes} processes"
    lanes = "" if way.lanes == 1 else f", {way.lanes} in flight each"
    label = f"{key[0]}, {way.label}, {processes}{lanes}"
    return Contender(" ".join(key), label, url, recorded, program.measure)
