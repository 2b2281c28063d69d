"""Plans and subscriptions for tests, and what happens to them in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.domain import subscription as domain
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.plan_terms import (
    FixedPrice,
    IncludedCredits,
    Interval,
    MeteredPrice,
    PlanEntitlement,
    PlanTerms,
    PlanVersion,
    PriceTerms,
)
from flamewire_ledger.domain.subscription import StartSubscription, Subscription

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
USD = Asset("USD", 2)
SUB = derived_id("sub", NEW_YEAR, "sub")
ACCOUNT = derived_id("ca", NEW_YEAR, "account")
CALLS = MeteredPrice("Calls", "calls", PriceTerms("standard", unit_price="0.001"))


def day(month: int, day_: int, hour: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day_, hour, tzinfo=UTC)


def usd(units: int) -> Amount:
    return Amount(USD, units)


def credits_(units: int) -> Amount:
    return Amount(CREDIT, units)


def plan(code: str = "pro", units: int = 3000, **changes: Any) -> PlanVersion:
    """30.00 USD a month by default; `units` 0 leaves the fixed price out."""
    fixed = (FixedPrice(f"{code} plan", usd(units)),) if units else ()
    terms = PlanTerms(code, USD, Interval("month"), fixed, when_unpaid="pause")
    terms = replace(terms, **changes)
    return PlanVersion(derived_id("plan", NEW_YEAR, code), code, 1, terms)


def yearly(code: str = "yearly", units: int = 36_000, **changes: Any) -> PlanVersion:
    return plan(code, units, interval=Interval("year"), **changes)


MONTHLY_CREDITS = IncludedCredits(credits_(5_000_000), every=Interval("month"))
ARCHIVE = PlanEntitlement("archive")


def start(on: PlanVersion, at: datetime = NEW_YEAR, **changes: Any) -> StartSubscription:
    given = {"quantity": 1, "with_trial": True, "reference": None, "starts_at": at, **changes}
    return StartSubscription(SUB, ACCOUNT, on, at=at, **given)


@dataclass
class Story:
    """One subscription, and everything that became true of it."""

    events: list[Any]
    state: Subscription | None = None

    def do(self, command: Any) -> list[Any]:
        facts = list(domain.decide(self.state, command))
        for fact in facts:
            self.state = domain.evolve(self.state, fact)
        self.events += facts
        return facts

    @property
    def it(self) -> Subscription:
        assert self.state is not None
        return self.state

    def until(self, at: datetime, used: Mapping[str, str] | None = None) -> list[Any]:
        """Let time pass: everything that is due by then, in order. `used`: by meter, in each period."""
        facts: list[Any] = []
        while self.it.due_step(at) is not None:
            usage = self.usage(billing.usage_due(self.it, at), used)
            command = billing.due(self.it, usage, at)
            assert command is not None
            facts += self.do(command)
        return facts

    def usage(
        self, keys: Sequence[billing.UsageKey], used: Mapping[str, str] | None
    ) -> dict[billing.UsageKey, Decimal]:
        return {key: Decimal((used or {}).get(key.meter, "0")) for key in keys}

    def change(
        self,
        on: PlanVersion,
        at: datetime,
        *,
        quantity: int = 1,
        prorate: bool = True,
        used: Mapping[str, str] | None = None,
    ) -> list[Any]:
        usage = self.usage(billing.usage_until(self.it, at), used)
        return self.do(billing.change(self.it, on, quantity, usage, at, prorate=prorate))

    def cancel(
        self, at: datetime, *, prorate: bool = True, used: Mapping[str, str] | None = None
    ) -> Any:
        usage = self.usage(billing.usage_until(self.it, at), used)
        (fact,) = self.do(billing.cancel(self.it, usage, at, prorate=prorate))
        return fact

    def said(self) -> list[str]:
        return [event.type.split(".")[1] for event in self.events]


def begun(on: PlanVersion, at: datetime = NEW_YEAR, **changes: Any) -> Story:
    """A subscription that has started, and its first period or trial with it."""
    story = Story([])
    story.do(start(on, at, **changes))
    story.until(at)
    return story


def lines(bill: Any) -> list[tuple[str, int]]:
    """(description, signed units) of each line."""
    return [
        (it.description, -it.amount.units if it.is_credit else it.amount.units)
        for it in (bill.lines if bill is not None else ())
    ]


def total(bill: Any) -> int:
    return sum(units for _, units in lines(bill))


DAY = timedelta(days=1)
