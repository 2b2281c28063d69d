"""What a payment was put to use for: each use with what it posted, and what of that is earned since."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment.facts import (
    EarnedCredits,
    PaymentApplicationReleased,
    PaymentRevenueRecognised,
    Recognised,
    Use,
)
from flamewire_ledger.domain.posting import BREAKAGE, DEFERRED_CREDITS, SALES, Posting


@dataclass(frozen=True, slots=True)
class Settling:
    """What was held of some transfers was put to use, by success or by a person; undone as one."""

    number: int
    uses: tuple[Use, ...]
    postings: tuple[Posting, ...]
    settles: bool  # the payment has succeeded by it
    grant_id: str | None
    bought: int = 0  # units of credits
    earned: dict[str, EarnedCredits] = field(default_factory=dict)  # by grant
    recognised: Recognised | None = None

    @property
    def deferred(self) -> tuple[Amount, ...]:
        """What was paid for the credits, one amount an asset."""
        units: dict[Asset, int] = {}
        for posting in self.postings:
            if posting.credit == DEFERRED_CREDITS:
                asset = posting.amount.asset
                units[asset] = units.get(asset, 0) + posting.amount.units
        return tuple(Amount(asset, count) for asset, count in units.items())

    def undoing(self) -> tuple[Posting, ...]:
        """The exact opposite of all that was posted for it: what was earned is first owed again."""
        back: list[Posting] = []
        if self.recognised is not None:
            back += [Posting(BREAKAGE, DEFERRED_CREDITS, it) for it in self.recognised.breakage]
            back += [Posting(SALES, DEFERRED_CREDITS, it) for it in self.recognised.sales]
        return (*back, *[posting.reversed() for posting in self.postings])


def released(
    settlings: tuple[Settling, ...], event: PaymentApplicationReleased
) -> tuple[Settling, ...]:
    back = {use.transfer: use.units for use in event.uses}
    return tuple(
        replace(
            each,
            uses=tuple(replace(it, units=it.units - back.get(it.transfer, 0)) for it in each.uses),
            postings=(*each.postings, *event.postings),
        )
        if each.number == event.settling
        else each
        for each in settlings
    )


def recognised(
    settlings: tuple[Settling, ...], event: PaymentRevenueRecognised
) -> tuple[Settling, ...]:
    by_grant = {each.bought_grant_id: each for each in event.recognised}
    return tuple(
        replace(each, earned=told_of(each, event.grants), recognised=by_grant[each.grant_id])
        if each.grant_id is not None and each.grant_id in by_grant
        else each
        for each in settlings
    )


def told_of(settling: Settling, grants: tuple[EarnedCredits, ...]) -> dict[str, EarnedCredits]:
    """What is known of the grants it made, with news of some. Older news than what is known is none."""
    known = dict(settling.earned)
    for told in grants:
        before = known.get(told.grant_id)
        if told.bought_grant_id == settling.grant_id and (before is None or before.day <= told.day):
            known[told.grant_id] = told
    return known
