"""Whatever the domain says or folds goes through the codec unchanged."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flamewire_ledger.commands import credit_account, payment
from flamewire_ledger.commands.decider import Decider
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from tests.domain.credit_account import samples as accounts
from tests.domain.payment import samples as payments
from tests.domain.spec import Spec

CODEC = Codec()


def paid_over_two_transfers() -> Spec:
    story = payments.story().given(payments.request(for_credits=True))
    story = story.given(payments.seen(30_000_000), payments.seen(50_000_000, tx="0xb"))
    return story.given(payments.final(30_000_000), payments.final(50_000_000, tx="0xb"))


def paid_with_the_wrong_asset() -> Spec:
    story = payments.story().given(payments.request())
    return story.given(
        payments.seen(500, asset=payments.ETH), payments.final(500, asset=payments.ETH)
    )


def granted_held_and_burnt() -> Spec:
    story = accounts.account().given(accounts.opened(), accounts.grant("gr_1", 5))
    story = story.given(accounts.grant("gr_2", 5), accounts.consume(7), accounts.hold("ho_1", 2))
    return story.given(accounts.capture("ho_1", 1))


@pytest.mark.parametrize(
    ("tell", "decider"),
    [
        (paid_over_two_transfers, payment.PAYMENT),
        (paid_with_the_wrong_asset, payment.PAYMENT),
        (granted_held_and_burnt, credit_account.CREDIT_ACCOUNT),
    ],
)
def test_a_story_comes_back_as_it_was(tell, decider: Decider):
    story = tell()
    assert len(story.events) > 2
    for version, event in enumerate(story.events, 1):
        new = CODEC.encode(event)
        recorded = RecordedEvent(
            version, 0, "s", version, new.type, new.data, "mer_1", uuid4(), b"{}", payments.NOON
        )
        assert CODEC.decode(recorded) == event
    state = CODEC.encode_state(story.state)
    assert CODEC.decode_state(state, decider.state_type) == story.state
