"""What left is on both sides once, and what nobody told of is a drift until somebody does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.domain.reconciliation import AssetPosition, Pin
from flamewire_ledger.domain.reconciliation.balancing import (
    Moved,
    Past,
    Told,
    balanced,
    left_untold,
)
from tests.domain.reconciliation.books import NOON

GIVEN: dict[str, Any] = {
    "received": 100, "moved": Moved(into=100), "told_before": Told(), "told": Told(), "past": None,
    "held": None,
}  # fmt: skip


def at(**changes: Any) -> AssetPosition:
    return balanced("ethereum:USDC", 6, **{**GIVEN, **changes})


def sides(it: AssetPosition) -> tuple[list[str], list[str]]:
    """Opening, in, out, fees."""
    chain = [it.chain_opening_units, it.chain_in_units, it.chain_out_units, it.chain_fee_units]
    books = [it.ledger_opening_units, it.ledger_in_units, it.ledger_out_units, it.ledger_fee_units]
    return chain, books


@pytest.mark.parametrize("held", [None, 0, 7])
def test_what_was_told_is_on_both_sides(held: int | None) -> None:
    """More than all that is left may lie there: other money of the same owner."""
    it = at(told=Told(90, 10), held=held)
    assert sides(it) == (["0", "100", "90", "10"], ["0", "100", "90", "10"])
    assert (it.drift, it.untold_units) == (0, "0")


def test_what_left_untold_is_a_drift_and_says_how_much() -> None:
    it = at(told=Told(30, 1), held=40)
    assert sides(it) == (["0", "100", "59", "1"], ["0", "100", "30", "1"])
    assert (it.drift, it.untold_units) == (29, "29")
    found = left_untold(it, Pin(9, "0xb9", NOON))
    assert found is not None
    assert (found.fingerprint, found.expected_units, found.found_units) == (
        "left_untold/ethereum:USDC", 40, 69,
    )  # fmt: skip


def test_it_stays_one_until_it_is_told_also_where_no_node_keeps_the_state() -> None:
    nothing = {"received": 0, "moved": Moved(opening=100), "past": Past(40, 60)}
    assert at(**nothing).drift == 60
    late = at(**nothing, told=Told(out=60))
    assert sides(late) == (["40", "0", "0", "0"], ["100", "0", "60", "0"])
    assert (late.drift, late.untold_units) == (0, "0")
    assert at(**nothing, told=Told(out=60), held=40) == AssetPosition(
        **{**{name: getattr(late, name) for name in late.__slots__}, "held_units": "40"}
    )


runs = st.lists(
    st.tuples(*[st.integers(0, 50)] * 3, st.floats(0, 1), st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(runs)
@settings(max_examples=150)
def test_however_it_is_told_the_drift_is_what_left_less_what_was_told(steps: Any) -> None:
    """Whatever left is told now, later or never; some nodes keep the state, and some do not."""
    past, moved, before = None, Moved(), Told()
    told, held, gone = Told(), 0, 0
    last = 0
    for came, left, fee, part, later, is_known in steps:
        held += came
        left, fee = min(left, held), min(fee, max(0, held - left))
        held, gone = held - left - fee, gone + left + fee
        owed = gone - told.units
        now = int(owed * part) if later < 0.8 else owed
        told = Told(told.out + now - min(fee, now), told.fees + min(fee, now))
        moved = Moved(moved.opening + moved.into, came)
        it = balanced(
            "x", 0, received=came, moved=moved, told_before=before, told=told, past=past,
            held=held if is_known else None,
        )  # fmt: skip
        assert it.ledger_closing == moved.opening + moved.into - told.units
        assert int(it.ledger_opening_units) == moved.opening - before.units
        assert int(it.ledger_fee_units) == told.fees - before.fees
        if is_known:
            assert it.drift == int(it.untold_units) == gone - told.units
            assert it.chain_closing == held
        assert it.drift == int(it.untold_units) >= 0
        assert past is None or int(it.chain_opening_units) == last
        past, before, last = Past(it.chain_closing, int(it.untold_units)), told, it.chain_closing
