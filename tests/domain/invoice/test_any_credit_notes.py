"""Credit notes in any number and size: never more than is left, and in the end exactly all of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.domain.invoice import (
    CreditedLine,
    IssueCreditNote,
    MarkUncollectible,
    PayInvoice,
    RecordInvoicePayment,
    ReverseInvoicePayment,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import Rejection
from tests.domain.invoice.billing import EUR, Office, days, line, opened

LINES = st.lists(
    st.tuples(
        st.integers(1, 100_000), st.sampled_from([None, "0", "7", "19", "33.3"]), st.booleans()
    ),
    min_size=1,
    max_size=6,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("credit"), st.integers(1, 7), st.integers(1, 120_000)),
        st.tuples(st.just("pay"), st.integers(1, 3), st.integers(1, 120_000)),
        st.tuples(st.just("elsewhere"), st.just(0), st.integers(1, 120_000)),
        st.tuples(st.just("reverse"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("give up"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


def _step(kind: str, number: int, units: int, place: int) -> Any:
    amount = Amount(EUR, max(units, 1))
    match kind:
        case "credit":
            lines = (CreditedLine(number, amount),)
            return IssueCreditNote("inv_1", f"cn_{place}", "x", days(1), lines)
        case "pay":
            return RecordInvoicePayment("inv_1", f"pi_{number}", amount, (), days(1))
        case "elsewhere":
            return PayInvoice("inv_1", "cash", days(1), amount)
        case "reverse":
            return ReverseInvoicePayment("inv_1", f"pi_{number}", "reorg", days(1))
        case _:
            return MarkUncollectible("inv_1", "gone", days(1))


@settings(max_examples=300, deadline=None)
@given(LINES, st.booleans(), STEPS)
def test_whatever_happens_books_and_dues_agree_and_nothing_is_given_back_twice(
    lines: Any, includes: bool, steps: Any
) -> None:
    try:
        office = opened(
            *(line(units, rate, is_credit=back and units < 500) for units, rate, back in lines),
            prices_include_tax=includes,
        )
    except Rejection:
        return
    assert office.known.finalised is not None
    total = office.known.finalised.sums.total.units
    for place, (kind, number, units) in enumerate(steps):
        try:
            office.do(_step(kind, number, units, place))
        except Rejection:
            continue
        _agree(office, total)
    try:
        office.do(IssueCreditNote("inv_1", "cn_all", "x", days(2)))
    except Rejection:
        left = total - office.known.credited_units
        assert left == 0 or any(it.is_credit for it in office.known.lines)
        return
    assert office.known.credited_units == total
    # All was given back: no sale is left, and no tax.
    assert "income:sales" not in office.open_books
    assert "liabilities:tax" not in office.open_books


def _agree(office: Office, total: int) -> None:
    invoice, books = office.known, office.books
    assert invoice.due is not None
    assert invoice.credited_units <= total
    refunds = -books["liabilities:refunds_payable"]
    assert invoice.due.units == total - invoice.paid_units - (invoice.credited_units - refunds)
    assert not (refunds and invoice.due.units), "nobody owes and is owed for one invoice"
    claim = "expenses:bad_debts" if invoice.is_uncollectible else "assets:receivable"
    other = "assets:receivable" if invoice.is_uncollectible else "expenses:bad_debts"
    assert books[claim] == invoice.due.units
    assert books[other] == 0
    assert books["equity:conversion"] + books["assets:paid_elsewhere"] == invoice.paid_units
    assert sum(books.values()) == 0


@settings(max_examples=200, deadline=None)
@given(LINES, st.booleans(), STEPS, st.lists(st.integers(1, 120_000), min_size=6, max_size=6))
def test_what_is_given_back_at_most_is_never_refused(
    lines: Any, includes: bool, steps: Any, wanted: list[int]
) -> None:
    """Who cannot know what a person has given back gives back what is left, were it nothing."""
    try:
        office = opened(
            *(line(units, rate, is_credit=back and units < 500) for units, rate, back in lines),
            prices_include_tax=includes,
        )
    except Rejection:
        return
    assert office.known.finalised is not None
    total = office.known.finalised.sums.total.units
    for place, (kind, number, units) in enumerate(steps):
        with suppress(Rejection):
            office.do(_step(kind, number, units, place))
    asked = tuple(
        CreditedLine(number, Amount(EUR, units))
        for number, (units, (_, _, back)) in enumerate(zip(wanted, lines, strict=False), start=1)
        if not (back and lines[number - 1][0] < 500)
    )
    office.do(IssueCreditNote("inv_1", "cn_most", "x", days(2), asked, at_most=True))
    _agree(office, total)
