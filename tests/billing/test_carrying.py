"""Worth is carried: what leaves an account takes what it came with, and nothing is left behind."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.carrying import Carried, Part, Stream
from flamewire_ledger.billing.trial import TrialBalance

WALLET, HELD, SALES, REFUNDS, TAKEN_OUT = (
    "assets:wallet:x", "liabilities:customer_unapplied", "income:sales", "liabilities:refunds_payable",
    "equity:withdrawals",
)  # fmt: skip


def never() -> int | None:
    raise AssertionError("this is priced already")


def receive(stream: Stream, units: int, value: int | None) -> Carried:
    return stream.post(WALLET, HELD, "TAO", units, lambda: value)


def test_sales_are_worth_what_came_in():
    stream = Stream()
    receive(stream, 10, 1000)
    carried = stream.post(HELD, SALES, "TAO", 10, never)
    assert (carried.value, carried.is_new) == (1000, False)


def test_each_part_has_the_worth_it_came_with():
    stream = Stream()
    receive(stream, 10, 1000)
    receive(stream, 5, 700)
    assert stream.post(HELD, SALES, "TAO", 12, never).parts == [Part(10, 1000), Part(2, 280)]
    assert stream.post(HELD, REFUNDS, "TAO", 3, never).value == 420


def test_a_transfer_that_is_taken_back_goes_with_its_own_worth():
    stream = Stream()
    receive(stream, 10, 1000)
    receive(stream, 5, 700)
    assert stream.post(HELD, WALLET, "TAO", 5, never).value == 700
    assert stream.post(HELD, SALES, "TAO", 10, never).value == 1000


def test_what_was_sold_and_is_taken_back_is_reversed_exactly():
    stream = Stream()
    receive(stream, 3, 100)
    stream.post(HELD, SALES, "TAO", 3, never)
    assert stream.post(SALES, HELD, "TAO", 3, never).value == 100
    assert stream.post(HELD, WALLET, "TAO", 3, never).value == 100
    assert receive(stream, 3, 90).is_new  # and comes back in another block, at another worth


def test_what_has_no_price_stays_without():
    stream = Stream()
    receive(stream, 10, None)
    receive(stream, 5, 50)
    carried = stream.post(HELD, REFUNDS, "TAO", 15, never)
    assert (carried.value, carried.valued_units, carried.unvalued_units) == (50, 5, 10)


def test_money_of_another_stream_is_priced_anew():
    assert Stream().post(REFUNDS, WALLET, "TAO", 5, lambda: 60).is_new


def new(units: int, value: int | None) -> Carried:
    return Carried((Part(units, value),), is_new=True)


def test_what_is_sold_above_its_average_is_a_gain():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, 1000)))
    list(books.post(WALLET, SALES, "TAO", new(10, 2000)))
    (gain,) = books.post("assets:bank", WALLET, "TAO", new(10, 1800))
    assert (gain.account, gain.units) == (WALLET, 300)
    assert books.lines[WALLET, "TAO"].value == 1500
    assert (books.gains, books.losses) == (300, 0)


def test_a_debt_that_became_dearer_is_a_loss():
    books = TrialBalance()
    list(books.post(WALLET, REFUNDS, "TAO", new(10, 1000)))
    gains = {it.account: it.units for it in books.post(REFUNDS, WALLET, "TAO", new(10, 1300))}
    assert gains == {REFUNDS: -300, WALLET: 300}
    assert books.lines[REFUNDS, "TAO"].value == books.lines[WALLET, "TAO"].value == 0


def test_what_is_owed_under_another_name_gains_nothing():
    books = TrialBalance()
    list(books.post(WALLET, HELD, "TAO", new(10, 1000)))
    list(books.post(HELD, REFUNDS, "TAO", new(4, 900)))
    assert books.lines[HELD, "TAO"].value == -600
    assert books.lines[REFUNDS, "TAO"].value == -400
    assert books.gains == books.losses


def test_what_leaves_without_a_price_leaves_at_what_it_stood_at():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, 1000)))
    assert list(books.post(TAKEN_OUT, WALLET, "TAO", new(4, None))) == []
    assert (books.lines[WALLET, "TAO"].value, books.lines[TAKEN_OUT, "TAO"].value) == (600, 400)
    list(books.post(TAKEN_OUT, WALLET, "TAO", new(6, None)))
    assert (books.lines[WALLET, "TAO"].value, books.lines[TAKEN_OUT, "TAO"].value) == (0, 1000)
    assert not books.lines[TAKEN_OUT, "TAO"].unvalued_units


def test_what_has_no_value_leaves_without_first():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, 1000)))
    list(books.post(WALLET, SALES, "TAO", new(5, None)))
    list(books.post(TAKEN_OUT, WALLET, "TAO", new(7, None)))
    out = books.lines[TAKEN_OUT, "TAO"]
    assert (out.valued_units, out.unvalued_units, out.value) == (2, 5, 200)
    assert books.lines[WALLET, "TAO"].value == 800


def test_a_debt_settled_without_a_price_is_worth_what_was_given_for_it():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, 1000)))
    list(books.post(HELD, REFUNDS, "TAO", new(10, 1300)))
    (gain,) = books.post(REFUNDS, WALLET, "TAO", new(10, None))
    assert (gain.account, gain.units) == (REFUNDS, 300)
    assert books.lines[REFUNDS, "TAO"].value == books.lines[WALLET, "TAO"].value == 0


def test_what_had_no_value_and_brings_a_price_is_all_gain():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, None)))
    (gain,) = books.post(TAKEN_OUT, WALLET, "TAO", new(10, 700))
    assert (gain.account, gain.units) == (WALLET, 700)
    wallet = books.lines[WALLET, "TAO"]
    assert (wallet.value, wallet.valued_units, wallet.unvalued_units) == (0, 0, 0)


def test_what_is_short_is_covered_at_the_price_of_then():
    books = TrialBalance()
    list(books.post(WALLET, SALES, "TAO", new(10, 1000)))
    assert list(books.post(TAKEN_OUT, WALLET, "TAO", new(12, 1200))) == []
    (loss,) = books.post(WALLET, SALES, "TAO", new(10, 1500))
    assert loss.units == -100
    assert (books.lines[WALLET, "TAO"].valued_units, books.lines[WALLET, "TAO"].value) == (8, 1200)


postings = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2", "out"]),
        st.sampled_from([
            (WALLET, HELD), (HELD, SALES), (HELD, REFUNDS), (REFUNDS, WALLET), (HELD, WALLET),
            (TAKEN_OUT, WALLET),
        ]),
        st.integers(1, 50),
        st.none() | st.integers(0, 10_000),
    ),
    max_size=40,
)  # fmt: skip


@given(postings)
def test_whatever_is_posted_debits_equal_credits_and_no_value_is_without_units(told: Any):
    books, streams = TrialBalance(), {name: Stream() for name in ("s1", "s2", "out")}
    for stream, (debit, credit), units, value in told:
        carried = streams[stream].post(debit, credit, "TAO", units, lambda: value)  # noqa: B023
        assert sum(part.units for part in carried.parts) == units
        moved = books.moved(debit, credit, "TAO", carried)
        assert moved.valued_units + moved.unvalued_units == units
        list(books.post(debit, credit, "TAO", carried))
        for (account, _), line in books.lines.items():
            if account == SALES:
                continue
            standing = line.debit_units - line.credit_units
            assert line.valued_units + line.unvalued_units == standing
            assert line.valued_units * line.unvalued_units >= 0
            assert line.value * line.valued_units >= 0
            if not line.valued_units:
                assert line.value == 0
    debits = sum(it.debit_value for it in books.lines.values()) + books.losses
    assert debits == sum(it.credit_value for it in books.lines.values()) + books.gains
