"""Invoices and credit notes on their way to the customer."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.invoice import (
    CreditedLine,
    IssueCreditNote,
    RecordDelivery,
    RecordDeliveryFailure,
    VoidInvoice,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import NotAllowed, NotFound
from tests.domain.invoice.billing import EUR, NOON, Office, days, draft, line, opened


def failed(attempt: int, note: str | None = None) -> RecordDeliveryFailure:
    return RecordDeliveryFailure("inv_1", "a@b", "m", attempt, "later", NOON, days(1), note)


def delivered(attempt: int, note: str | None = None) -> RecordDelivery:
    return RecordDelivery("inv_1", "a@b", "m", attempt, days(1), note)


def credited(*notes: str) -> Office:
    office = opened(line(10_00))
    for note in notes:
        part = (CreditedLine(1, Amount(EUR, 1_00)),)
        office.do(IssueCreditNote("inv_1", note, "late", NOON, part))
    return office


def test_a_credit_note_is_delivered_once_apart_from_its_invoice_and_from_others() -> None:
    office = credited("cn_1", "cn_2")
    assert len(office.do(failed(1, "cn_1"))) == 1
    assert office.do(failed(1, "cn_1")) == ()
    assert len(office.do(delivered(2, "cn_1"))) == 1
    assert office.do(delivered(2, "cn_1")) == office.do(failed(3, "cn_1")) == ()
    assert len(office.do(failed(1, "cn_2"))) == 1
    assert len(office.do(failed(1))) == 1
    assert len(office.do(delivered(2))) == 1
    assert office.do(failed(3)) == ()


def test_what_is_not_there_is_not_delivered() -> None:
    with pytest.raises(NotFound, match="cn_9"):
        credited("cn_1").do(delivered(1, "cn_9"))
    unfinished = Office()
    unfinished.do(draft(line(1)))
    with pytest.raises(NotAllowed):
        unfinished.do(delivered(1))


def test_what_is_void_is_not_tried_again() -> None:
    office = opened(line(10_00))
    office.do(VoidInvoice("inv_1", "a mistake", NOON))
    (fact,) = office.do(failed(1))
    assert fact.again_at is None  # type: ignore[attr-defined]
