"""What an invoice did not need of a payment is the customer's, once, and of the success that paid it."""

from __future__ import annotations

from flamewire_ledger.domain.payment import (
    PaymentApplicationReleased,
    PaymentTransferReorganised,
    ReleaseApplied,
)
from flamewire_ledger.domain.posting import CONVERSION, UNAPPLIED
from tests.domain.books import Books
from tests.domain.payment.samples import (
    ETH,
    PAYMENT,
    final,
    gone,
    minute,
    request,
    resolve,
    story,
    usd,
)

INVOICE = "inv_01kayv3m8se0p9q7r2t4w6x8za"


def release(settling: int = 1, *, cents: int = 1250) -> ReleaseApplied:
    return ReleaseApplied(PAYMENT, settling, usd(cents), usd(2500), minute(4))


def paid():
    return story().given(request(invoice_id=INVOICE), final(100))


def test_the_share_that_was_not_due_is_held_for_the_customer():
    spec = paid().when(release()).then(PaymentApplicationReleased)
    (event,) = spec.outcome
    assert [(use.transfer, use.units) for use in event.uses] == [("bittensor/0xa/0", 50)]
    assert event.labels == ("overpaid",)
    (held,) = spec.state.held()
    assert held.open_units == 50
    (posting,) = event.postings
    assert (posting.debit, posting.credit, posting.amount.units) == (CONVERSION, UNAPPLIED, 50)


def test_of_a_second_payment_that_nobody_needed_all_is_held():
    spec = paid().when(release(cents=2500)).then(PaymentApplicationReleased)
    assert [each.open_units for each in spec.state.held()] == [100]
    spec.when(resolve("refund"))
    assert not any(spec.state.held())


def test_less_than_a_unit_has_paid_the_invoice():
    paid().when(release(cents=24)).then_nothing_new()  # a unit is worth 25
    spec = paid().when(release(cents=49)).then(PaymentApplicationReleased)
    assert [each.open_units for each in spec.state.held()] == [1]


def test_what_the_chain_took_back_has_nothing_to_release():
    spec = paid().given(gone()).when(release()).then_nothing_new()
    assert not any(Books(spec.events).balances.values())


def test_a_release_of_a_success_that_was_undone_takes_nothing_of_the_next():
    """Who tells it was down while the chain took the first transfer back and a second one paid."""
    spec = paid().given(gone(), final(1_000, "0xb", asset=ETH, at=5))
    assert spec.state.is_settled
    spec.when(release(1)).then_nothing_new()
    spec.when(release(2)).then(PaymentApplicationReleased)
    assert [(use.transfer, use.units) for use in spec.outcome[0].uses] == [("ethereum/0xb/0", 500)]
    assert [each.open_units for each in spec.state.held()] == [500]


def test_what_was_released_goes_with_the_transfer_it_came_by():
    spec = paid().given(release()).when(gone(at=6))
    assert isinstance(spec.outcome[0], PaymentTransferReorganised)
    assert not any(Books(spec.events).balances.values())
    assert not any(spec.state.held())


def test_parts_on_two_networks_are_each_released_in_part():
    spec = story().given(
        request(invoice_id=INVOICE), final(50), final(500, "0xb", asset=ETH)
    )  # half and half
    spec.when(release(cents=500)).then(PaymentApplicationReleased)
    units = {use.transfer: use.units for use in spec.outcome[0].uses}
    assert units == {"bittensor/0xa/0": 10, "ethereum/0xb/0": 100}
