"""Disposals: balanced, once, and never more than there is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.domain.disposal import (
    DisposalMade,
    Disposals,
    Kind,
    RecordDisposal,
    decide,
    evolve,
    holding_id,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import (
    DISPOSALS,
    NETWORK_FEES,
    PAID_ELSEWHERE,
    REFUNDS_PAYABLE,
    WITHDRAWALS,
    wallet,
)
from flamewire_ledger.domain.rejection import Malformed, NotAllowed, Rejection

TAO, USD = Asset("bittensor:TAO", 9), Asset("USD", 2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WALLET = wallet("bittensor")
SALE = RecordDisposal(
    "hd_1", "di_1", "bittensor", "sale", Amount(TAO, 40), NOON, NOON, received_units=100,
    owed_units=30, proceeds=Amount(USD, 900),
)  # fmt: skip


def made(command: RecordDisposal, before: Disposals | None = None) -> DisposalMade:
    (fact,) = decide(before, command)
    return fact


@pytest.mark.parametrize(
    ("kind", "debit"),
    [("withdrawal", WITHDRAWALS), ("fee", NETWORK_FEES), ("refund", REFUNDS_PAYABLE)],
)
def test_each_kind_is_charged_to_its_account(kind: Kind, debit: str) -> None:
    fact = made(replace(SALE, kind=kind, proceeds=None, amount=Amount(TAO, 30)))
    ((posting),) = fact.postings
    assert (posting.debit, posting.credit, posting.amount) == (debit, WALLET, Amount(TAO, 30))


def test_a_sale_balances_in_what_went_and_in_what_came() -> None:
    went, came = made(SALE).postings
    assert (went.debit, went.credit, went.amount) == (DISPOSALS, WALLET, SALE.amount)
    assert (came.debit, came.credit, came.amount) == (PAID_ELSEWHERE, DISPOSALS, SALE.proceeds)


def test_what_is_sold_for_nothing_brings_no_posting() -> None:
    assert len(made(replace(SALE, proceeds=Amount(USD, 0))).postings) == 1


WRONG: list[tuple[dict[str, Any], type[Rejection], str | None]] = [
    ({"amount": Amount(TAO, 101)}, NotAllowed, "/amount"),
    ({"received_units": -5}, NotAllowed, "/amount"),
    ({"kind": "refund", "proceeds": None, "amount": Amount(TAO, 31)}, NotAllowed, "/amount"),
    ({"proceeds": None}, Malformed, "/proceeds"),
    ({"kind": "fee"}, Malformed, "/proceeds"),
    ({"made_at": NOON + timedelta(seconds=1)}, Malformed, "/made_at"),
    ({"lots": ("1-1", "1-1")}, Malformed, "/lots"),
    ({"lots": ("1-1",), "seen": 1}, NotAllowed, None),
]


@pytest.mark.parametrize(("changes", "reason", "pointer"), WRONG)
def test_what_cannot_be_is_refused(
    changes: dict[str, Any], reason: type[Rejection], pointer: str | None
) -> None:
    with pytest.raises(reason) as refused:
        decide(None, replace(SALE, **changes))
    assert refused.value.pointer == pointer


@given(st.lists(st.tuples(st.sampled_from(["withdrawal", "refund"]), st.integers(1, 60))))
def test_whatever_is_asked_no_more_leaves_than_there_is(history: Any) -> None:
    state: Disposals | None = None
    gone: Counter[str] = Counter()
    for kind, units in history:
        command = replace(SALE, kind=kind, proceeds=None, amount=Amount(TAO, units))
        is_too_much = gone.total() + units > 100 or (kind == "refund" and gone[kind] + units > 30)
        try:
            state = evolve(state, made(command, state))
        except NotAllowed:
            assert is_too_much
            continue
        assert not is_too_much
        gone[kind] += units
        assert (state.units, state.refunded_units) == (gone.total(), gone["refund"])


def test_a_holding_is_of_one_merchant_network_and_asset() -> None:
    names = [
        ("mer_1", "sui", "sui:USDC"),
        ("mer_2", "sui", "sui:USDC"),
        ("mer_1", "sui", "sui:SUI"),
    ]
    assert len({holding_id(*each) for each in names}) == 3
