"""What is planted is found, and nothing else."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.domain.reconciliation.matching import (
    ON_ITS_WAY_GRACE,
    TERM_GRACE,
    Expectation,
    ForInvoice,
    Receipt,
    match,
)
from tests.domain.reconciliation.books import NOON, PLANTS, Plant, agreeing, plant

COUNT = 24
SECOND = timedelta(seconds=1)


def test_what_agrees_has_no_discrepancy() -> None:
    findings = agreeing(COUNT).match()
    assert findings.matched == COUNT
    assert findings.discrepancies == ()
    assert findings.standings == {"posted_automatic": COUNT}


@pytest.mark.parametrize("wrong", PLANTS, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(PLANTS)])
def test_each_kind_is_found_alone(wrong: Plant) -> None:
    books = agreeing(3)
    planted = plant(books, [(1, wrong)])
    assert {(each.kind, each.subject) for each in books.match().discrepancies} == planted


@given(
    st.lists(
        st.tuples(st.integers(0, COUNT - 1), st.sampled_from(PLANTS)),
        unique_by=lambda each: each[0],
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_everything_planted_is_found_and_nothing_else(wrongs: Any, order: random.Random) -> None:
    books = agreeing(COUNT)
    planted = plant(books, wrongs)
    findings = books.match()
    assert {(each.kind, each.subject) for each in findings.discrepancies} == planted
    assert len(findings.discrepancies) == len(planted)
    for side in (books.chain, books.movements, books.expectations):
        order.shuffle(side)  # type: ignore[arg-type]
    assert books.match() == findings


def test_what_was_taken_out_of_a_wallet_again_is_not_on_the_books() -> None:
    books = agreeing(1)
    back = replace(books.movements[0], units=-books.movements[0].units)
    books.movements.append(back)
    del books.chain[0]
    books.expectations[0] = replace(books.expectations[0], status="ended", receipts=())
    assert books.match().discrepancies == ()


def test_a_transfer_that_was_held_and_then_assigned_is_booked_once() -> None:
    books = agreeing(1)
    held = replace(books.movements[0], stream_id="ut_1", is_of_payment=False)
    books.movements += [held, replace(held, units=-held.units)]
    assert books.match().discrepancies == ()


@pytest.mark.parametrize(
    ("on_its_way", "late", "found"),
    [
        (False, TERM_GRACE, []),
        (False, TERM_GRACE + SECOND, ["missing_past_term"]),
        (True, ON_ITS_WAY_GRACE, []),
        (True, ON_ITS_WAY_GRACE + SECOND, ["missing_past_term"]),
    ],
)
def test_a_term_has_a_grace_and_what_is_on_its_way_a_longer_one(
    on_its_way: bool, late: timedelta, found: list[str]
) -> None:
    waiting = Expectation("pi_1", "waiting", (), NOON, is_on_its_way=on_its_way)
    findings = match((), (), [waiting], NOON + late)
    assert [each.kind for each in findings.discrepancies] == found


@pytest.mark.parametrize("status", ["met", "ended", "waiting"])
@pytest.mark.parametrize("said", [(True, True), (True, False), (False, False)])
def test_an_invoice_is_told_and_counts_what_succeeded(status: Any, said: tuple[bool, bool]) -> None:
    """What came when nothing was due any more is told, and counts for nothing."""
    invoice = ForInvoice("inv_1", NOON, *said)
    receipts = (Receipt("k", 1_000_000 if status == "met" else 0, is_here=False),)
    paid = Expectation("pi_1", status, receipts, NOON + timedelta(days=1), invoice=invoice)
    is_wrong = not said[0] if status == "met" else said[1]
    for late, found in ((TERM_GRACE, 0), (TERM_GRACE + SECOND, int(is_wrong))):
        assert len(match((), (), [paid], NOON + late).discrepancies) == found


def test_what_strangers_receive_is_nobodys_business() -> None:
    books = agreeing(1)
    books.chain.append(replace(books.chain[0], key="ethereum/0xff/0", is_ours=False))
    assert books.match().discrepancies == ()
    assert books.match().matched == 1


@pytest.mark.parametrize(
    ("standing", "changes"),
    [
        ("split", {"receipts": (Receipt("a", 400_000), Receipt("b", 600_000))}),
        ("over", {"receipts": (Receipt("a", 1_200_000),)}),
        ("under", {"status": "ended", "receipts": (Receipt("a", 400_000),)}),
        ("missing", {"status": "ended", "receipts": ()}),
        ("open", {"status": "waiting", "receipts": ()}),
        (
            "currency_mismatch",
            {"status": "ended", "receipts": (Receipt("a", 0, is_of_asked_asset=False),)},
        ),
        ("posted_manual", {"how": "manual", "receipts": (Receipt("a", 900_000),)}),
        ("posted_forced", {"how": "forced", "receipts": ()}),
    ],
)
def test_what_became_of_an_expectation_has_a_word(standing: str, changes: dict[str, Any]) -> None:
    books = agreeing(0)
    books.expectations.append(replace(Expectation("pi", "met", (), NOON), **changes))
    assert books.match().standings == {standing: 1}
