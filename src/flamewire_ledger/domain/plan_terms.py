"""What a plan promises and asks for: values that plans and subscriptions share.

A subscription keeps the terms it was sold on, so a plan may change without a word to those who have
it. Numbers of metered prices are decimal strings, as `billing/pricing.py` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import Malformed

Unit: TypeAlias = Literal["day", "week", "month", "year"]
Proration: TypeAlias = Literal["second", "day", "none"]
WhenUnpaid: TypeAlias = Literal["keep", "pause", "cancel"]

COUNTS_MAX: Final = {"day": 3660, "week": 520, "month": 120, "year": 10}  # ten years
PRICES_MAX: Final = 100
ENTITLEMENTS_MAX: Final = 100
TRIAL_DAYS_MAX: Final = 730
NET_DAYS_MAX: Final = 365
UNITS_MAX: Final = 10**60  # of one price: a bill of many of them still fits an amount


@dataclass(frozen=True, slots=True)
class Interval:
    """So many units of the calendar: 1 month, 1 year, 18 months, 2 weeks."""

    unit: Unit
    count: int = 1


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """Asked for in advance, at the beginning of each period, once for each that is subscribed to."""

    name: str
    unit_amount: Amount


@dataclass(frozen=True, slots=True)
class PriceTier:
    unit_price: str
    up_to: str | None = None
    flat: str | None = None


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """A price model as it is written down. `model` says which of the other fields it has."""

    model: Literal["standard", "graduated", "volume", "package", "percentage"]
    unit_price: str | None = None
    free: str | None = None
    tiers: tuple[PriceTier, ...] | None = None
    price: str | None = None
    size: str | None = None
    percent: str | None = None
    minimum: str | None = None
    maximum: str | None = None


@dataclass(frozen=True, slots=True)
class MeteredPrice:
    """Asked for in arrears: what a meter counted in the period that has ended."""

    name: str
    meter_id: str
    price: PriceTerms


@dataclass(frozen=True, slots=True)
class IncludedCredits:
    """Granted at the beginning of each period, or of each `every` within it.

    They lapse when the next are granted, unless `rolls_over`.
    """

    amount: Amount
    every: Interval | None = None
    rolls_over: bool = False
    priority: int = 50  # smaller burns first


@dataclass(frozen=True, slots=True)
class PlanEntitlement:
    """A feature: a flag, so much of a meter in a day or month, or as long as there are credits."""

    feature: str
    kind: Literal["flag", "quantity", "credits"] = "flag"
    meter_id: str | None = None
    limit: str | None = None  # a plain decimal
    period: Literal["day", "month"] | None = None


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """`commitment` is the least that a whole period comes to; `due_days` are net days.

    A subscription that stays past due for `unpaid_days` comes to what `when_unpaid` says.
    """

    name: str
    currency: Asset
    interval: Interval
    fixed: tuple[FixedPrice, ...] = ()
    metered: tuple[MeteredPrice, ...] = ()
    credits: IncludedCredits | None = None
    entitlements: tuple[PlanEntitlement, ...] = ()
    trial_days: int = 0
    trial_credits: Amount | None = None
    commitment: Amount | None = None
    proration: Proration = "second"
    due_days: int = 14
    unpaid_days: int = 14
    when_unpaid: WhenUnpaid = "pause"
    tax_rate: str | None = None  # percent, a plain decimal
    prices_include_tax: bool = False

    def credits_of(self, quantity: int) -> int:
        """Base units of credits that so many are granted at a time."""
        return 0 if self.credits is None else self.credits.amount.units * quantity


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One version of a plan, whole: what a subscription is on."""

    plan_id: str
    code: str
    version: int
    terms: PlanTerms


def check_terms(terms: PlanTerms) -> None:
    """Raises Malformed, with the field at fault. What metered prices say is checked by billing."""
    _check_interval(terms.interval, "/interval")
    if not terms.fixed and not terms.metered and terms.credits is None and not terms.entitlements:
        raise Malformed("a plan has a price, credits or an entitlement", pointer="/fixed_prices")
    if max(len(terms.fixed), len(terms.metered)) > PRICES_MAX:
        raise Malformed(
            f"a plan has at most {PRICES_MAX} prices of a kind", pointer="/fixed_prices"
        )
    for index, fixed in enumerate(terms.fixed):
        if fixed.unit_amount.asset != terms.currency:
            raise Malformed("a plan is in one currency", pointer=f"/fixed_prices/{index}/amount")
        if fixed.unit_amount.units > UNITS_MAX:
            raise Malformed("nothing costs that much", pointer=f"/fixed_prices/{index}/amount")
    if len({fixed.name for fixed in terms.fixed}) < len(terms.fixed):
        raise Malformed("each fixed price has a name of its own", pointer="/fixed_prices")
    if terms.commitment is not None and terms.commitment.asset != terms.currency:
        raise Malformed("a plan is in one currency", pointer="/commitment")
    _check_named(terms)
    _check_days(terms)
    _check_credits(terms)


def _check_named(terms: PlanTerms) -> None:
    """Meters and features, each once."""
    meters = [metered.meter_id for metered in terms.metered]
    if len(set(meters)) < len(meters):
        raise Malformed("a meter has one price in a plan", pointer="/metered_prices")
    features = [it.feature for it in terms.entitlements]
    if len(set(features)) < len(features) or len(features) > ENTITLEMENTS_MAX:
        raise Malformed(
            f"a plan names each feature once, {ENTITLEMENTS_MAX} at most", pointer="/entitlements"
        )
    for index, it in enumerate(terms.entitlements):
        said = [term is not None for term in (it.meter_id, it.limit, it.period)]
        if not all(said) if it.kind == "quantity" else any(said):
            raise Malformed(
                "a quantity has a meter, a limit and a period, and nothing else has",
                pointer=f"/entitlements/{index}/kind",
            )


def _check_days(terms: PlanTerms) -> None:
    for pointer, days, most in (
        ("/trial_days", terms.trial_days, TRIAL_DAYS_MAX),
        ("/due_days", terms.due_days, NET_DAYS_MAX),
        ("/unpaid_days", terms.unpaid_days, NET_DAYS_MAX),
    ):
        if not 0 <= days <= most:
            raise Malformed(f"this is 0 to {most} days", pointer=pointer)


def _check_credits(terms: PlanTerms) -> None:
    if terms.trial_credits is not None and not terms.trial_days:
        raise Malformed("credits of a trial need a trial", pointer="/trial_credits")
    included = terms.credits
    if included is None:
        return
    if included.amount.is_zero:
        raise Malformed("included credits are more than none", pointer="/included_credits/amount")
    if included.every is None:
        return
    _check_interval(included.every, "/included_credits/every")
    if days_at_most(included.every) > days_at_most(terms.interval):
        raise Malformed("credits come at least once in a period", pointer="/included_credits/every")


def _check_interval(interval: Interval, pointer: str) -> None:
    most = COUNTS_MAX[interval.unit]
    if not 1 <= interval.count <= most:
        raise Malformed(f"this is 1 to {most} of a {interval.unit}", pointer=f"{pointer}/count")


def days_at_most(interval: Interval) -> int:
    """The longest it can be."""
    return interval.count * {"day": 1, "week": 7, "month": 31, "year": 366}[interval.unit]
