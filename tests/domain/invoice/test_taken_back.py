"""What a chain takes back, after all that may have followed from it."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.invoice import (
    CreditedLine,
    IssueCreditNote,
    NoteOverdue,
    PayInvoice,
    RecordDeliveryFailure,
    RecordInvoicePayment,
    ReverseInvoicePayment,
    VoidInvoice,
)
from flamewire_ledger.domain.invoice.crediting import CREDIT_NOTES_MAX
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import LimitReached, NotAllowed
from tests.domain.invoice.billing import EUR, Office, days, line, opened

TAKEN_BACK = ReverseInvoicePayment("inv_1", "pi_1", "reorganised", days(30))


def paid(cents: int) -> RecordInvoicePayment:
    return RecordInvoicePayment("inv_1", "pi_1", Amount(EUR, cents), (), days(2))


def credited(cents: int | None = None, at: float = 3, name: str = "cn_1") -> IssueCreditNote:
    lines = () if cents is None else (CreditedLine(1, Amount(EUR, cents)),)
    return IssueCreditNote("inv_1", name, "broken", days(at), lines)


def test_what_is_due_again_falls_due_again():
    office = opened(line(10_00))
    assert len(office.do(NoteOverdue("inv_1", days(15)))) == 1
    office.do(paid(10_00))
    office.do(TAKEN_BACK)
    assert (office.known.status, office.known.fell_due_at) == ("open", None)
    assert len(office.do(NoteOverdue("inv_1", days(31)))) == 1


def test_what_was_credited_is_not_asked_for_when_the_payment_is_taken_back():
    office = opened(line(10_00, "19"))
    office.do(paid(11_90))
    office.do(credited())
    (fact,) = office.do(TAKEN_BACK)
    assert (fact.due.units, fact.refund_withdrawn.units) == (0, 11_90)
    assert office.known.status == "paid"
    assert office.open_books == {}


@pytest.mark.parametrize(
    ("credit", "due", "refund"), [(30_00, 30_00, 0), (60_00, 0, 0), (70_00, 0, 10_00)]
)
def test_what_is_owed_to_the_customer_is_set_against_what_is_due_again(credit, due, refund):
    office = opened(line(100_00))
    office.do(paid(60_00))
    office.do(PayInvoice("inv_1", "by bank", days(2), Amount(EUR, 40_00)))
    office.do(credited(credit))
    office.do(TAKEN_BACK)
    assert office.known.due == Amount(EUR, due)
    assert office.books["assets:receivable"] == due
    assert -office.books["liabilities:refunds_payable"] == refund
    office.do(paid(60_00))
    assert office.known.status == "paid"
    assert office.known.paid_units == 40_00 + due


def test_a_letter_that_failed_is_not_sent_again_when_the_invoice_is_void():
    office = opened(line(10_00))
    office.do(VoidInvoice("inv_1", "a mistake", days(1)))
    (fact,) = office.do(
        RecordDeliveryFailure("inv_1", "ada@example.com", "<m>", 1, "later", days(1), days(2))
    )
    assert fact.again_at is None


def test_there_is_an_end_of_credit_notes_for_which_nobody_waits():
    office: Office = opened(line(100_000))
    for number in range(CREDIT_NOTES_MAX):
        office.do(credited(1, name=f"cn_{number}"))
    # A process that is told of a limit tries again until it is lifted: this one never is.
    with pytest.raises(NotAllowed, match="at most"):
        office.do(credited(1, name="cn_last"))
    assert not issubclass(NotAllowed, LimitReached)


def test_a_part_that_is_given_back_bears_its_tax_rounded_as_tax_is():
    office = opened(line(23_75, "19"))
    office.do(credited(20_00))
    (note,) = office.known.credit_notes
    assert note.sums.tax == Amount(EUR, 3_80), "19 % of 20.00"
    office.do(credited(3_75, name="cn_2"))
    assert sum(it.sums.tax.units for it in office.known.credit_notes) == 4_51
