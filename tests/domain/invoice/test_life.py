"""An invoice from its draft to its end, and what the books say on the way."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.invoice import (
    AddLines,
    CreditedLine,
    Customer,
    FinaliseInvoice,
    InvoicePaid,
    InvoicePaymentRecorded,
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
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InvalidAmount,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.invoice.billing import EUR, NOON, SELLER, Office, days, draft, line, opened

VOID = VoidInvoice("inv_1", "a mistake", days(1))
GIVEN_UP = MarkUncollectible("inv_1", "gone", days(40))
FINAL = FinaliseInvoice("inv_1", NOON)


def paid(cents: int, payment: str = "pi_1") -> RecordInvoicePayment:
    return RecordInvoicePayment("inv_1", payment, Amount(EUR, cents), (), days(2))


def note(number: int = 1, **more: object) -> IssueCreditNote:
    return IssueCreditNote("inv_1", f"cn_{number}", "broken", days(3), **more)  # type: ignore[arg-type]


def test_a_draft_has_no_number_and_no_place_in_the_books():
    office = Office()
    office.do(draft(line(10_00, "19")))
    assert office.known.status == "draft"
    assert office.known.sums is not None
    assert office.known.sums.total.text == "11.90"
    assert office.registers == {}
    assert office.open_books == {}


def test_lines_may_come_later_and_count_with_those_there_were():
    office = Office()
    office.do(draft())
    office.do(AddLines("inv_1", (line(5, "19"),), NOON))
    office.do(AddLines("inv_1", (line(5, "19.00"),), NOON))
    # 19 % of 10 cents is 1.9: rounded once, not 0.95 twice.
    assert office.known.sums is not None
    assert (office.known.sums.tax.units, len(office.known.sums.taxes)) == (2, 1)


def test_a_final_invoice_has_a_number_a_seller_a_due_date_and_is_owed():
    office = opened(line(10_00, "19"), line(5_00), due_days=30)
    final = office.known.finalised
    assert final is not None
    assert (final.number, final.seller, final.due_at) == ("2026-000001", SELLER, days(30))
    assert office.known.status == "open"
    assert office.open_books == {
        "assets:receivable": 16_90,
        "income:sales": -15_00,
        "liabilities:tax": -1_90,
    }


def test_a_final_invoice_takes_no_second_number_and_no_other_lines():
    office = opened(line(10_00))
    assert office.do(FINAL) == ()
    with pytest.raises(NotAllowed, match="only a draft changes"):
        office.do(AddLines("inv_1", (line(1),), NOON))


def test_an_invoice_over_nothing_is_paid_at_once():
    office = opened(line(10_00), line(10_00, is_credit=True))
    assert office.known.status == "paid"
    assert office.open_books == {}


@pytest.mark.parametrize(
    "more",
    [
        {"customer": Customer()},
        {"customer": Customer(name=" ")},
        {"due_days": -1},
        {"lines": (line(1, "-1"),)},
        {"lines": (line(1, "1e2"),)},
        {"lines": (line(1, "1001"),)},
        {"lines": (line(1, is_credit=True),)},
        {"lines": (line(100), line(1, "19", is_credit=True))},
        {"currency": Asset("USD", 2), "lines": (line(1),)},
    ],
)
def test_a_draft_that_makes_no_invoice_is_refused(more):
    with pytest.raises(Malformed):
        Office().do(draft(**more))


def test_what_is_not_there_is_not_found_and_what_is_there_is_not_drafted_again():
    with pytest.raises(NotFound):
        Office().do(VOID)
    with pytest.raises(AlreadyExists):
        opened(line(1)).do(draft(line(1)))


def test_an_invoice_without_lines_is_not_made_final():
    office = Office()
    office.do(draft())
    with pytest.raises(NotAllowed, match="at least one line"):
        office.do(FINAL)


def test_a_payment_pays_it_and_no_sale_is_counted_twice():
    office = opened(line(10_00, "19"))
    facts = office.do(paid(11_90))
    assert [type(fact) for fact in facts] == [InvoicePaymentRecorded, InvoicePaid]
    assert office.known.status == "paid"
    assert office.open_books == {
        "equity:conversion": 11_90,
        "income:sales": -10_00,
        "liabilities:tax": -1_90,
    }


def test_it_is_paid_in_parts_and_what_is_left_is_due():
    office = opened(line(10_00))
    office.do(paid(4_00))
    assert (office.known.status, office.known.due) == ("open", Amount(EUR, 6_00))
    office.do(PayInvoice("inv_1", "in cash", days(2)))
    assert office.known.status == "paid"
    assert office.open_books == {
        "equity:conversion": 4_00,
        "assets:paid_elsewhere": 6_00,
        "income:sales": -10_00,
    }


def test_what_comes_twice_is_surplus_and_moves_nothing_here():
    office = opened(line(10_00))
    office.do(paid(10_00))
    before = dict(office.open_books)
    (fact,) = office.do(paid(10_00, "pi_2"))
    assert isinstance(fact, InvoicePaymentRecorded)
    assert (fact.amount.units, fact.surplus.units) == (0, 10_00)
    assert office.open_books == before
    assert office.known.paid_units == 10_00


def test_more_than_is_due_pays_what_is_due():
    office = opened(line(10_00))
    office.do(paid(4_00))
    recorded, _ = office.do(paid(10_00, "pi_2"))
    assert isinstance(recorded, InvoicePaymentRecorded)
    assert (recorded.amount.units, recorded.surplus.units) == (6_00, 4_00)


def test_the_same_payment_is_recorded_once():
    office = opened(line(10_00))
    office.do(paid(4_00))
    assert office.do(paid(4_00)) == ()


def test_money_for_a_void_invoice_is_all_surplus():
    office = opened(line(10_00))
    office.do(VOID)
    (fact,) = office.do(paid(10_00))
    assert isinstance(fact, InvoicePaymentRecorded)
    assert fact.surplus.units == 10_00
    assert office.known.status == "void"
    assert office.open_books == {}


def test_what_a_chain_takes_back_is_due_again():
    office = opened(line(10_00))
    due = dict(office.open_books)
    office.do(paid(10_00))
    office.do(ReverseInvoicePayment("inv_1", "pi_1", "reorganised", days(3)))
    assert (office.known.status, office.known.due) == ("open", Amount(EUR, 10_00))
    assert office.open_books == due
    office.do(paid(10_00))
    assert office.known.status == "paid"


@pytest.mark.parametrize("first", ["paid", "given up"])
def test_what_is_taken_back_from_an_invoice_that_was_given_up_is_given_up(first):
    office = opened(line(10_00))
    for step in (paid(4_00), GIVEN_UP) if first == "paid" else (GIVEN_UP, paid(4_00)):
        office.do(step)
    office.do(ReverseInvoicePayment("inv_1", "pi_1", "reorganised", days(50)))
    assert office.known.status == "uncollectible"
    assert office.open_books == {"expenses:bad_debts": 10_00, "income:sales": -10_00}


def test_a_payment_is_asked_for_within_what_is_due():
    office = opened(line(10_00))
    ask = RequestInvoicePayment("inv_1", "pi_1", Amount(EUR, 10_01), days(1), NOON)
    with pytest.raises(InvalidAmount, match=r"10\.00 EUR is due"):
        office.do(ask)
    office.do(paid(10_00))
    with pytest.raises(NotAllowed, match="this one is paid"):
        office.do(RequestInvoicePayment("inv_1", "pi_2", Amount(EUR, 1), days(1), NOON))


def test_a_void_invoice_keeps_its_number_and_its_books_are_reversed():
    office = opened(line(10_00, "19"))
    office.do(VOID)
    assert office.known.status == "void"
    assert office.known.finalised is not None
    assert office.known.finalised.number == "2026-000001"
    assert office.open_books == {}
    assert office.do(VOID) == ()


@pytest.mark.parametrize(
    "step", [paid(1), note(lines=(CreditedLine(1, Amount(EUR, 1)),)), GIVEN_UP]
)
def test_an_invoice_that_something_happened_to_is_not_voided(step):
    office = opened(line(10_00))
    office.do(step)
    with pytest.raises(NotAllowed, match="issue a credit note"):
        office.do(VOID)


def test_a_draft_is_voided_without_a_number():
    office = Office()
    office.do(draft(line(1)))
    office.do(VOID)
    assert office.known.status == "void"
    assert office.registers == {}
    with pytest.raises(NotAllowed):
        office.do(FINAL)


def test_what_was_given_up_counts_when_it_is_paid_all_the_same():
    office = opened(line(10_00))
    office.do(GIVEN_UP)
    assert office.known.status == "uncollectible"
    assert office.open_books == {"expenses:bad_debts": 10_00, "income:sales": -10_00}
    office.do(paid(10_00))
    assert office.known.status == "paid"
    assert office.open_books == {"equity:conversion": 10_00, "income:sales": -10_00}


def test_a_credit_note_takes_back_what_is_due_with_its_tax():
    office = opened(line(10_00, "19"), line(5_00, "7"))
    office.do(note(lines=(CreditedLine(1, Amount(EUR, 5_00)),)))
    assert office.known.due == Amount(EUR, 11_90 + 5_35 - 5_95)
    assert office.open_books == {
        "assets:receivable": 11_30,
        "income:sales": -10_00,
        "liabilities:tax": -(1_90 + 35 - 95),
    }


def test_a_credit_note_over_all_that_is_left_ends_the_invoice_and_its_books():
    office = opened(line(10_00, "19"), line(99, "7"))
    office.do(note(lines=(CreditedLine(1, Amount(EUR, 3_33)),)))
    facts = office.do(note(2))
    assert [type(fact).__name__ for fact in facts] == ["CreditNoteIssued", "InvoicePaid"]
    assert office.open_books == {}
    with pytest.raises(NotAllowed, match="nothing is left"):
        office.do(note(3))


def test_what_was_paid_and_is_given_back_is_owed_to_the_customer():
    office = opened(line(10_00))
    office.do(paid(8_00))
    office.do(note())
    assert office.open_books == {"equity:conversion": 8_00, "liabilities:refunds_payable": -8_00}


def test_credit_notes_have_numbers_of_their_own():
    office = opened(line(10_00))
    office.do(note(lines=(CreditedLine(1, Amount(EUR, 1)),)))
    office.do(note(2, lines=(CreditedLine(1, Amount(EUR, 1)),)))
    assert [each.number for each in office.known.credit_notes] == [
        "CN-2026-000001",
        "CN-2026-000002",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (CreditedLine(1, Amount(EUR, 10_01)),),
        (CreditedLine(1, Amount(EUR, 0)),),
        (CreditedLine(3),),
        (CreditedLine(1), CreditedLine(1)),
        (CreditedLine(2),),  # it gave something back: alone that would be a charge
    ],
)
def test_a_credit_note_beyond_what_is_left_of_a_line_is_refused(lines):
    office = opened(line(10_00), line(4_00, is_credit=True))
    with pytest.raises(Malformed):
        office.do(note(lines=lines))


def test_a_credit_note_gives_back_no_more_than_lines_and_credits_leave():
    office = opened(line(10_00), line(4_00, is_credit=True))
    with pytest.raises(InvalidAmount, match="more than is left of the invoice"):
        office.do(note(lines=(CreditedLine(1, Amount(EUR, 7_00)),)))
    office.do(note())
    assert office.open_books == {}


def test_a_draft_is_not_credited():
    office = Office()
    office.do(draft(line(1)))
    with pytest.raises(NotAllowed):
        office.do(note())


def test_it_falls_due_once_and_not_before_its_date():
    office = opened(line(10_00), due_days=14)
    with pytest.raises(NotAllowed, match="not due yet"):
        office.do(NoteOverdue("inv_1", days(14)))
    assert len(office.do(NoteOverdue("inv_1", days(14.1)))) == 1
    assert office.do(NoteOverdue("inv_1", days(15))) == ()


def test_a_paid_invoice_does_not_fall_due():
    office = opened(line(10_00))
    office.do(paid(10_00))
    assert office.do(NoteOverdue("inv_1", days(99))) == ()


def test_it_is_delivered_once_after_as_many_failures_as_there_are():
    office = opened(line(10_00))
    failure = RecordDeliveryFailure("inv_1", "a@b", "m", 1, "refused", NOON, days(1))
    assert len(office.do(failure)) == 1
    assert office.do(failure) == ()
    assert len(office.do(RecordDelivery("inv_1", "a@b", "m", 2, days(1)))) == 1
    assert office.do(RecordDelivery("inv_1", "a@b", "m", 3, days(1))) == ()
