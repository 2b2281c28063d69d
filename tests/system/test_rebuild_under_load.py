"""A read model is made again beside the live one, while commands and queries go on.

FLAMEWIRE_TEST_REBUILD_EVENTS says over how many events; the full proof is 300 000.
"""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime
from itertools import islice

import httpx

from flamewire_ledger.cli.postgres_status import running_url
from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    GrantCredits,
    OpenCreditAccount,
)
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import Append, NewEvent, StreamAppend
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.system.load import Load
from tests.system.running_ledger import RunningLedger, eventually

EVENTS = int(os.environ.get("FLAMEWIRE_TEST_REBUILD_EVENTS", "20000"))
ACCOUNTS = 100
BATCH = 2000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _events_of_one_account(account_id: str, count: int) -> list[NewEvent]:
    """What the domain decides: opened, granted, and then one unit burnt at a time."""
    codec, state, events = Codec(), None, []
    commands = (
        OpenCreditAccount(account_id, None, None, NOON),
        GrantCredits(account_id, f"gr_{account_id}", Amount(CREDIT, count), "granted", NOON),
        *(ConsumeCredits(account_id, Amount(CREDIT, 1), NOON) for _ in range(count - 2)),
    )
    for command in commands:
        for event in credit_account.decide(state, command):
            state = credit_account.evolve(state, event)
            events.append(codec.encode(event))
    return events


async def _fill(url: str, merchant_id: str) -> None:
    async with PostgresEventStore(url) as store:
        appends = (
            Append(
                command_id(account_id, str(version)),
                b"",
                merchant_id,
                b"{}",
                (StreamAppend(account_id, version, (event,)),),
            )
            for account_id in (f"ca_{number:026d}" for number in range(ACCOUNTS))
            for version, event in enumerate(_events_of_one_account(account_id, EVENTS // ACCOUNTS))
        )
        while batch := list(islice(appends, BATCH)):
            await store.append(0, batch)


class Reader:
    """Asks for balances all the time; remembers every answer that was none, or that went back."""

    def __init__(self, ledger: RunningLedger) -> None:
        self.answers = 0
        self.faults: list[str] = []
        self._ledger = ledger
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        least = 0
        with self._ledger.client() as client:
            while not self._stop.is_set():
                answer = client.get("/v1/ledger/trial_balance")
                if answer.status_code != httpx.codes.OK:
                    self.faults.append(answer.text)
                    continue
                lines = answer.json()["lines"]
                debits = next(int(it["debits_minor"]) for it in lines if it["asset"] == "CREDIT")
                if debits < least:
                    self.faults.append(f"{debits} after {least}")
                least = debits
                self.answers += 1


def test_queries_answer_all_along_and_the_new_generation_equals_the_log(own_ledger: RunningLedger):
    url = running_url(own_ledger.data_dir / "postgres")
    assert url is not None
    with own_ledger.client() as client:
        merchant_id = client.get("/v1/events").json()["data"][0]["metadata"]["merchant_id"]
        asyncio.run(_fill(url, merchant_id))

        def is_projected() -> bool:
            lines = client.get("/v1/ledger/trial_balance").json()["lines"]
            rows = [it for it in lines if it["asset"] == "CREDIT"]
            return bool(rows) and int(rows[0]["debits_minor"]) == 2 * EVENTS - 2 * ACCOUNTS

        eventually(is_projected, seconds=300)
    with Load(own_ledger, threads=2) as load, Reader(own_ledger) as reader:
        eventually(lambda: len(load.acknowledged) > 5)
        before = len(load.acknowledged), reader.answers
        own_ledger.flamewire("projection", "rebuild", "account_balance")
        assert len(load.acknowledged) > before[0]
        assert reader.answers > before[1]
        own_ledger.flamewire("projection", "diff", "account_balance")
    assert reader.faults == []
    own_ledger.flamewire("projection", "diff", "account_balance")
