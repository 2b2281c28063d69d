"""Where a refund goes: what was registered when it was decided, and for no other decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flamewire_ledger.domain.payment import PaymentResolved, RefundAddress
from tests.domain.payment.samples import expire, final, request, resolve, story
from tests.domain.snapshots import through_json
from tests.domain.spec import fact

THERE = (RefundAddress("bittensor", "polkadot:2f05", "5F", "own_1"),)
UNDERPAID = (request(for_credits=True), final(40), expire())


def test_a_refund_records_where_it_goes():
    spec = story().given(*UNDERPAID).when(replace(resolve("refund"), refund_to=THERE))
    spec.then(fact(PaymentResolved, refund_to=THERE))
    assert spec.state.refund_to == THERE
    assert through_json(spec.state) == spec.state


def test_nothing_registered_is_no_reason_not_to_refund():
    spec = story().given(*UNDERPAID).when(resolve("refund"))
    spec.then(fact(PaymentResolved, refund_to=()))


@pytest.mark.parametrize("choice", ["accept", "credit", "write_off"])
def test_no_other_decision_sends_anything(choice):
    spec = story().given(*UNDERPAID).when(replace(resolve(choice), refund_to=THERE))
    assert spec.outcome[0].refund_to == ()
    assert spec.state.refund_to == ()


def test_the_last_refund_says_where():
    spec = story().given(*UNDERPAID, replace(resolve("refund"), refund_to=THERE))
    later = replace(THERE[0], address="5G", ownership_id="own_2")
    spec.given(final(30, "0xb", at=31)).when(replace(resolve("refund", at=32), refund_to=(later,)))
    assert spec.state.refund_to == (later,)
