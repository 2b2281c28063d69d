"""Invoices of any kind of life: their rows are what their states are, however the batches are cut."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import Any

import pytest

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.domain.invoice import (
    AddLines,
    CreditedLine,
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    IssueCreditNote,
    MarkUncollectible,
    NoteOverdue,
    PayInvoice,
    RecordDelivery,
    RecordDeliveryFailure,
    RecordInvoicePayment,
    RequestInvoicePayment,
    ReverseInvoicePayment,
    VoidInvoice,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import Rejection
from tests.domain.invoice.billing import EUR, MERCHANT, NOON, Office, days, line
from tests.projections.examples import CODEC, answers, plain

INVOICES, STEPS = 30, 16


def told(drawn: random.Random, invoice_id: str) -> Office:
    """An invoice to which things happen in any order; what is refused has not happened."""
    office = Office()
    who = Customer(name="Ada", email=drawn.choice(["ada@example.com", None]))
    lines = (line(drawn.choice([0, 1000]), "19"),)
    office.do(DraftInvoice(invoice_id, who, EUR, NOON, lines))
    for step in range(1, drawn.randint(2, STEPS)):
        with suppress(Rejection):
            office.do(_step(drawn, invoice_id, step))
    return office


def _step(drawn: random.Random, invoice_id: str, step: int) -> Any:
    at, amount = days(step), Amount(EUR, drawn.choice([100, 590, 1190, 2000]))
    payment = f"pi_{drawn.randint(1, 2)}"
    final = FinaliseInvoice(invoice_id, at)
    again_at = drawn.choice([None, days(step + 1)])
    return drawn.choice(
        [
            *([final] * (9 if step == 2 else 1)),
            AddLines(invoice_id, (line(1, "7"),), at),
            RequestInvoicePayment(invoice_id, payment, amount, at, at),
            *([RecordInvoicePayment(invoice_id, payment, amount, (), at)] * 3),
            *([ReverseInvoicePayment(invoice_id, payment, "reorganised", at)] * 3),
            PayInvoice(invoice_id, "by bank", at, amount),
            VoidInvoice(invoice_id, "a mistake", at),
            MarkUncollectible(invoice_id, "gone", at),
            NoteOverdue(invoice_id, at),
            IssueCreditNote(
                invoice_id, f"cn_{step}", "late", at, (CreditedLine(1, Amount(EUR, 300)),)
            ),
            RecordDeliveryFailure(invoice_id, "a@b.c", "<m>", step, "later", at, again_at),
            RecordDelivery(invoice_id, "a@b.c", "<m>", step, at),
        ]
    )


@pytest.mark.parametrize("batch", [1, 7, 100_000])
async def test_rows_are_what_the_states_are(ledger_url: str, batch: int) -> None:
    drawn = random.Random(7)
    offices = {f"inv_{number:03d}": told(drawn, f"inv_{number:03d}") for number in range(INVOICES)}
    # They happen at the same time, each in its own order.
    queues = {name: list(office.facts) for name, office in offices.items()}
    given = []
    while queues:
        name = drawn.choice(list(queues))
        fact: Any = queues[name].pop(0)
        data = json.loads(CODEC.encode(fact).data)
        given.append({"type": fact.type, "stream_id": name, "merchant_id": MERCHANT, "data": data})
        if not queues[name]:
            del queues[name]
    asked = [
        {"question": "invoice_by_id", "with": {"merchant_id": MERCHANT, "invoice_id": name}}
        for name in offices
    ]
    rows = await answers(ledger_url, "invoices", {"given": given, "asked": asked}, batch=batch)
    seen = set()
    for (row,), office in zip(rows, offices.values(), strict=True):
        expected = json.loads(json.dumps(plain(views.row_of_state(office.known))))
        expected["fell_due_at"] = plain(office.known.fell_due_at)
        for paid in expected["applied"]:
            del paid["postings"]  # the books have them
        for column, value in expected.items():
            assert row[column] == value, (column, office.facts)
        last = max(
            place for place, it in enumerate(given, 1) if it["stream_id"] == row["invoice_id"]
        )
        assert row["position"] == last
        seen.add(row["status"])
    assert seen == {"draft", "open", "paid", "void", "uncollectible"}
