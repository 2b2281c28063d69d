"""Receipts: numbers without a gap, lines that add up, a void that keeps its number."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flamewire_ledger.domain.invoice import (
    InvoiceIssued,
    InvoiceLine,
    InvoiceNumberAssigned,
    InvoiceVoided,
    IssueReceipt,
    SettledWith,
    VoidInvoice,
    VoidReceipt,
    decide,
    decide_receipt,
    evolve_invoice,
    evolve_register,
    register_id,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound
from tests.domain.snapshots import through_json

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
REGISTER = register_id("mer_01kayv3m8se0p9q7r2t4w6x8za", NOON)


def line(cents):
    return InvoiceLine("Credits", "1", Amount(USD, cents).text, Amount(USD, cents))


def receipt(number=1, **changes):
    fields = {
        "register_id": REGISTER,
        "invoice_id": f"inv_{number}",
        "payment_id": "pi_1",
        "credit_account_id": None,
        "reference": None,
        "lines": (line(1000), line(1500)),
        "total": Amount(USD, 2500),
        "settled_with": (SettledWith("bittensor", "0xa", Amount(TAO, 100), "412.5", "pl_1"),),
        "at": NOON,
    }
    return IssueReceipt(**{**fields, **changes})


def test_a_register_is_of_one_merchant_and_year():
    assert REGISTER == "ir_01kayv3m8se0p9q7r2t4w6x8za_2026"


def test_numbers_have_no_gap_and_both_facts_agree():
    register = None
    for sequence in range(1, 4):
        given, issued = decide_receipt(register, None, receipt(sequence))
        assert given == (InvoiceNumberAssigned(REGISTER, sequence, f"inv_{sequence}", NOON),)
        assert isinstance(issued[0], InvoiceIssued)
        assert issued[0].number == f"2026-{sequence:06d}"
        register = evolve_register(register, given[0])
    assert through_json(register) == register


def test_a_number_of_seven_digits_is_not_cut():
    given, issued = decide_receipt(None, None, receipt())
    register = evolve_register(None, InvoiceNumberAssigned(REGISTER, 999_999, "inv_0", NOON))
    given, issued = decide_receipt(register, None, receipt())
    assert given[0].sequence == 1_000_000
    assert issued[0].number == "2026-1000000"


def test_an_invoice_is_issued_once_and_takes_no_second_number():
    invoice = evolve_invoice(None, decide_receipt(None, None, receipt())[1][0])
    with pytest.raises(AlreadyExists):
        decide_receipt(None, invoice, receipt())


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": ()},
        {"total": Amount(USD, 2499)},
        {"total": Amount(TAO, 2500)},
        {"at": datetime(2027, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_receipt_that_does_not_add_up_is_refused(changes):
    with pytest.raises(Malformed):
        decide_receipt(None, None, receipt(**changes))


def test_a_void_invoice_keeps_its_number():
    invoice = evolve_invoice(None, decide_receipt(None, None, receipt())[1][0])
    void = VoidReceipt("inv_1", "the payment was reorganised", NOON)
    events = decide(invoice, void)
    assert [type(event) for event in events] == [InvoiceVoided]
    invoice = evolve_invoice(invoice, events[0])
    assert invoice.is_void
    assert invoice.issued.number == "2026-000001"
    assert decide(invoice, void) == ()
    assert through_json(invoice) == invoice


def test_an_invoice_nobody_issued_is_not_found():
    with pytest.raises(NotFound):
        decide(None, VoidInvoice("inv_1", "x", NOON))


def test_a_receipt_is_not_voided_by_hand():
    invoice = evolve_invoice(None, decide_receipt(None, None, receipt())[1][0])
    with pytest.raises(NotAllowed, match="stands on its payment"):
        decide(invoice, VoidInvoice("inv_1", "a mistake", NOON))
