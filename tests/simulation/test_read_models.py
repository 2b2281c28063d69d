"""The SQL of the read models on histories as wild as a run's: it says what the domain says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account import CreditAccount
from flamewire_ledger.domain.invoice import Invoice
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.subscription import Subscription
from flamewire_ledger.domain.top_up import TopUp
from flamewire_ledger.domain.unclaimed_transfer import UnclaimedTransfer
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.verify import verify
from flamewire_ledger.queries import unclaimed_transfers
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.store.event_store import NewEvent
from flamewire_ledger.store.memory import MemoryEventStore
from tests.domain.books import Books
from tests.projector.stories import Told, record
from tests.simulation.evidence import Seen, fold
from tests.simulation.roles import CODEC
from tests.simulation.world import Report

_BALANCE = {
    **{it: it for it in ("available", "held", "granted", "consumed", "expired", "owed")},
    **{it: it for it in ("transferred_in", "transferred_out")},
    "reversed": "taken_back",
}  # as a row names it, and the domain
pytestmark = pytest.mark.xdist_group("simulation")


@pytest.fixture
def report(run_of: Callable[[int], Report]) -> Report:
    return run_of(32)


async def test_read_models_say_what_the_domain_says(report: Report, ledger_url: str) -> None:
    store = MemoryEventStore(lambda: report.now)
    told = [Told(it.merchant_id, it.stream_id, NewEvent(it.type, it.data)) for it in report.events]
    await record(store, told)
    async with write_pool(ledger_url) as writing, read_pool(ledger_url) as reading:
        projector = Projector(writing, store, load_catalog(CODEC.classes))
        await projector.catch_up()
        models = ReadModels(reading)
        seen = [Seen(event, CODEC.decode(event)) for event in await store.read(0, 0, 10**9)]
        await _streams_are_as_folded(models, seen, report)
        await _balances_are_the_books(models, seen)
        due = await models.due_deadlines(report.now - timedelta(seconds=60), livemode=False)
        assert due == [], "when all has come to rest, nobody's time is up"


async def test_what_must_be_true_at_every_moment_is_verified(
    report: Report, ledger_url: str
) -> None:
    """Among it: debits equal credits for every merchant, and each read model equals its rebuild."""
    store = MemoryEventStore(lambda: report.now)
    told = [Told(it.merchant_id, it.stream_id, NewEvent(it.type, it.data)) for it in report.events]
    assert any(it.type.startswith("unclaimed_transfer.") for it in report.events)
    await record(store, told)
    catalog = load_catalog(CODEC.classes)
    async with write_pool(ledger_url) as writing:
        await Projector(writing, store, catalog).catch_up()
        checks = [check async for check in verify(writing, store, catalog)]
    assert [(it.name, it.detail) for it in checks if not it.ok] == []
    assert len(checks) > len(catalog)


async def _streams_are_as_folded(models: ReadModels, seen: list[Seen], report: Report) -> None:
    streams: dict[str, list[Seen]] = {}
    for each in seen:
        streams.setdefault(each.recorded.stream_id, []).append(each)
    for stream_id, stream in streams.items():
        merchant_id, state = stream[0].recorded.merchant_id, fold(stream)
        match state:
            case Payment():
                await _payment_is(models, merchant_id, stream_id, state)
            case CreditAccount():
                row = await models.credit_account(merchant_id, stream_id, report.now)
                assert row is not None
                expected = credit_account.balance(state, report.now)
                for shown, name in _BALANCE.items():
                    assert row[f"{shown}_units"] == getattr(expected, name).units, stream_id
            case Invoice():
                await _invoice_is(models, merchant_id, stream_id, state)
            case Subscription():
                row = await _one(models, "subscriptions", "subscription", merchant_id, stream_id)
                step = state.next_step
                due_at = None if step is None else step[1]
                assert (row["status"], row["next_at"]) == (state.status, due_at), stream_id
            case TopUp():
                row = await _one(models, "top_ups", "top_up", merchant_id, stream_id)
                asked = None if state.pending is None else state.pending.payment_id
                told = (row["is_on"], row["requests"], row["payment_id"])
                assert told == (state.is_on, state.number, asked), stream_id
            case UnclaimedTransfer():
                row = await unclaimed_transfers.transfer(models, merchant_id, stream_id)
                assert row is not None
                assert (row["status"], row["units"]) == (state.status, state.transfer.amount.units)
                assigned = None if state.assigned is None else state.assigned.payment_id
                assert row["payment_id"] == assigned, stream_id


async def _one(
    models: ReadModels, projection: str, what: str, merchant_id: str, stream_id: str
) -> Mapping[str, Any]:
    asked = {f"{what}_id": stream_id, "merchant_id": merchant_id}
    (row,) = await models.ask(projection, f"{what}_by_id", asked)
    return row


async def _invoice_is(
    models: ReadModels, merchant_id: str, invoice_id: str, state: Invoice
) -> None:
    row = await models.invoice(merchant_id, invoice_id)
    assert row is not None
    assert row["status"] == state.status, invoice_id
    if state.finalised is not None and not state.is_void:
        assert state.due is not None
        shown = tuple(row[f"{name}_units"] for name in ("total", "paid", "credited", "due"))
        total = state.finalised.sums.total.units
        expected = (total, state.paid_units, state.credited_units, state.due.units)
        assert shown == expected, invoice_id


async def _payment_is(
    models: ReadModels, merchant_id: str, payment_id: str, state: Payment
) -> None:
    row = await models.payment(merchant_id, payment_id)
    assert row is not None
    assert (row["status"], set(row["labels"])) == (state.status, state.labels), payment_id
    totals = state.totals
    shown = tuple(row[f"{name}_units"] for name in ("detected", "confirmed", "excess", "due"))
    expected = (totals.detected, totals.confirmed, totals.excess, totals.due)
    assert shown == tuple(each.units for each in expected), payment_id


async def _balances_are_the_books(models: ReadModels, seen: list[Seen]) -> None:
    for merchant_id in sorted({each.recorded.merchant_id for each in seen}):
        mine = [each.fact for each in seen if each.recorded.merchant_id == merchant_id]
        listing = await models.balances(merchant_id)
        shown = {
            (row["account"], row["asset"]): row["debit_units"] - row["credit_units"]
            for row in listing.rows
        }
        assert +Counter(shown) == +Books(mine).balances
