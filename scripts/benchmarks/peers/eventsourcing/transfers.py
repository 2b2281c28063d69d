"""`eventsourcing` as its documentation shows it: two aggregates, an event each, one `app.save`.

`transfer` gets them from the repository, whose cache is on; it need not look whether somebody else has
changed them, because each process has accounts of its own. `save` keeps the aggregates itself.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent

from scripts.benchmarks.peers.lines import answer_lines, repeat

_ACCOUNTS = 1_000
_UNITS = 1_000


class Account(Aggregate):
    """What one side of a transfer is booked on."""

    @event("Opened")
    def __init__(self) -> None:
        self.units = 0

    @event("Debited")
    def debit(self, units: int, other: str, reference: str) -> None:
        self.units += units

    @event("Credited")
    def credit(self, units: int, other: str, reference: str) -> None:
        self.units -= units


class Bank(Application[UUID]):
    """Transfers, any number of them in one save."""

    name = "application"  # of its table

    def transfer(self, pairs: Sequence[tuple[UUID, UUID]]) -> None:
        changed: dict[UUID, Account] = {}
        for debited, credited in pairs:
            for account_id in (debited, credited):
                if account_id not in changed:
                    changed[account_id] = self.repository.get(account_id)
            changed[debited].debit(_UNITS, str(credited), "call")
            changed[credited].credit(_UNITS, str(debited), "call")
        self.save(*changed.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("prepare", "transfer", "save", "record"))
    parser.add_argument("--transfers", type=int, default=1, help="in one save")
    given = parser.parse_args()
    os.environ["CREATE_TABLE"] = "y" if given.way == "prepare" else "n"
    os.environ["PERSISTENCE_MODULE"] = "eventsourcing.postgres"
    os.environ["AGGREGATE_CACHE_MAXSIZE"] = str(_ACCOUNTS * 2)
    os.environ["AGGREGATE_CACHE_FASTFORWARD"] = "n"
    app = Bank()
    if given.way == "transfer":
        answer_lines(repeat(_transferring(app, given.transfers)))
    elif given.way == "save":
        answer_lines(repeat(_saving(app, given.transfers)))
    elif given.way == "record":
        answer_lines(repeat(_recording(app, given.transfers)))
    app.close()


def _transferring(app: Bank, transfers: int) -> Callable[[], int]:
    pairs = itertools.cycle([(debited.id, credited.id) for debited, credited in _opened(app)])

    def step() -> int:
        app.transfer(list(itertools.islice(pairs, transfers)))
        return transfers

    return step


def _saving(app: Bank, transfers: int) -> Callable[[], int]:
    pairs = itertools.cycle(_opened(app))

    def step() -> int:
        chosen = list(itertools.islice(pairs, transfers))
        for debited, credited in chosen:
            debited.debit(_UNITS, str(credited.id), "call")
            credited.credit(_UNITS, str(debited.id), "call")
        app.save(*itertools.chain.from_iterable(chosen))
        return transfers

    return step


def _opened(app: Bank) -> list[tuple[Account, Account]]:
    accounts = [Account() for _ in range(_ACCOUNTS * 2)]
    app.save(*accounts)
    return list(itertools.pairwise(accounts))[::2]


def _recording(app: Bank, transfers: int) -> Callable[[], int]:
    """Events that are there as bytes, without aggregates: one event is both sides of a transfer."""
    facts = {
        "debit": str(uuid4()), "credit": str(uuid4()), "units": _UNITS, "asset": "CREDIT",
        "decimals": 6, "reference": "call", "transferred_at": "2026-01-01T00:00:00.000000Z",
    }  # fmt: skip
    state = json.dumps(facts).encode()
    recorder = app.recorder

    def step() -> int:
        stream = uuid4()
        recorder.insert_events(
            [StoredEvent(stream, version, "Transferred", state) for version in range(transfers)]
        )
        return transfers

    return step


if __name__ == "__main__":
    main()
