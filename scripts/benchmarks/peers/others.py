"""The peers as contenders: this file holds how each is installed, prepared, run and counted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from scripts.benchmarks.peers.contender import Contender
from scripts.benchmarks.peers.databases import database
from scripts.benchmarks.peers.installed import folder_of, python_of
from scripts.benchmarks.peers.program import ROOT, Program, run_once

# Ways of eventsourcing: words for its program, processes.
_EVENTSOURCING: Final = {
    "transfer": (("transfer",), 2),
    "save": (("save",), 2),
    "transfer 100": (("transfer", "--transfers", "100"), 2),
    "record 100": (("record", "--transfers", "100"), 2),
}
_EVENTSOURCING_LABELS: Final = {
    "transfer": "eventsourcing, get two and app.save",
    "save": "eventsourcing, app.save alone",
    "transfer 100": "eventsourcing, 100 transfers in one save",
    "record 100": "eventsourcing recorder, 100 bare events",
}
_EVENTSOURCING_RECORDED: Final = """
    SELECT count(*) FILTER (WHERE topic ~ '(Debited|Transferred)$'),
           sum(units) FILTER (WHERE topic ~ '(Debited|Transferred)$') / 1000,
           sum(units) FILTER (WHERE topic ~ '(Credited|Transferred)$') / 1000
    FROM (SELECT topic, (convert_from(state, 'UTF8')::jsonb ->> 'units')::bigint AS units
          FROM application_events) AS events"""
_HORDAK: Final = {1: 2, 1_000: 2}  # transfers in one transaction: processes
_HORDAK_RECORDED: Final = """
    SELECT (SELECT count(*) FROM hordak_transaction), sum(debit) * 100, sum(credit) * 100
    FROM hordak_leg"""
_EMMETT: Final = {1: 16, 100: 8}  # events an append: lanes
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
    environment = dict(os.environ)
    for name in ("dbname", "host", "port", "user", "password"):
        environment[f"POSTGRES_{name.upper()}"] = str(parts.get(name) or "")
    command = [sys.executable, "-m", "scripts.benchmarks.peers.eventsourcing.transfers"]
    # Several processes that make the tables at once fail: one does it, before.
    run_once([*command, "prepare"], environment)
    with ExitStack() as stack:
        yield [
            _contender(
                stack.enter_context(Program([*command, *words], environment, processes=processes)),
                f"eventsourcing {key}",
                f"{_EVENTSOURCING_LABELS[key]}, {processes} processes",
                url,
                _EVENTSOURCING_RECORDED,
            )
            for key, (words, processes) in _EVENTSOURCING.items()
        ]


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
                    Program(
                        [*command, "transfer", "--transfers", str(transfers)],
                        environment,
                        processes=processes,
                    )
                ),
                f"hordak {transfers}",
                f"django-hordak, {transfers} transfer_to a transaction, {processes} processes",
                url,
                _HORDAK_RECORDED,
            )
            for transfers, processes in _HORDAK.items()
        ]


@contextmanager
def emmett(server: EmbeddedPostgres) -> Iterator[list[Contender]]:
    """Node, one process; its pool has ten connections."""
    folder = folder_of("emmett")
    url = database(server.url, "emmett")
    environment = {**os.environ, "PEER_DATABASE_URL": url}

    def command(**words: object) -> list[str]:
        return ["node", "appends.mjs", json.dumps(words)]

    run_once(command(way="prepare"), environment, folder)
    with ExitStack() as stack:
        yield [
            _contender(
                stack.enter_context(
                    Program(
                        command(way="append", events=events, lanes=lanes),
                        environment,
                        processes=1,
                        folder=folder,
                    )
                ),
                f"emmett {events}",
                f"emmett, {events} an append, {lanes} in flight",
                url,
                _EMMETT_RECORDED,
            )
            for events, lanes in _EMMETT.items()
        ]


def _contender(program: Program, key: str, label: str, url: str, recorded: str) -> Contender:
    return Contender(key, label, url, recorded, program.measure)
