"""What a merchant is told of credits: granted, soon to lapse, lapsed, running low, used up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from flamewire_ledger.domain.credit_account import (
    CreditAccountOpened,
    CreditsGranted,
    ExpiryWarned,
    GrantExpired,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.top_up import TopUpRefused, TopUpRequested
from flamewire_ledger.domain.usage import UsageGrantUsedUp, UsageThresholdReached
from flamewire_ledger.webhooks.message import How, Kind, Shape, Time, Told, text


class CreditsData(Shape):
    """What happened to the credits of an account. Amounts are credits."""

    credit_account_id: str
    external_id: str | None  # as the account was opened with
    amount: str | None = None
    amount_minor: str | None = None
    available: str | None = None  # when it ran low
    grant_id: str | None = None
    source: str | None = None  # of a grant
    expires_at: Time | None = None
    days: int | None = None  # until they lapse, or less
    payment_intent_id: str | None = None
    code: str | None = None  # why there was no top-up
    detail: str | None = None


class ThresholdData(Shape):
    """So much of a limit on usage is used."""

    credit_account_id: str
    external_id: str | None
    meter_id: str
    period: Literal["day", "month"]
    period_start: Time
    bound: Literal["soft", "hard"]
    percent: int
    limit: str
    used: str


def _account(fact: Any, _stream_id: str) -> Mapping[str, How]:
    return {fact.account_id: "first"}


def _external_id(told: Told) -> str | None:
    opened = next(iter(told.past[told.fact.account_id]), None)
    return opened.external_id if isinstance(opened, CreditAccountOpened) else None


def _data(told: Told, amount: Amount | None = None, **more: Any) -> CreditsData:
    return CreditsData(
        credit_account_id=told.fact.account_id,
        external_id=_external_id(told),
        amount=text(amount),
        amount_minor=None if amount is None else str(amount.units),
        **more,
    )


def _granted(told: Told) -> CreditsData:
    fact: CreditsGranted = told.fact
    return _data(
        told,
        fact.amount,
        grant_id=fact.grant_id,
        source=fact.source,
        expires_at=fact.expires_at,
        payment_intent_id=fact.payment_id,
    )


def _expiring(told: Told) -> CreditsData:
    fact: ExpiryWarned = told.fact
    return _data(
        told, fact.amount, grant_id=fact.grant_id, expires_at=fact.expires_at, days=fact.days
    )


def _expired(told: Told) -> CreditsData | None:
    fact: GrantExpired = told.fact
    return None if fact.amount.is_zero else _data(told, fact.amount, grant_id=fact.grant_id)


def _used_up(told: Told) -> CreditsData:
    fact: UsageGrantUsedUp = told.fact
    return _data(told, grant_id=fact.grant_id)


def _low(told: Told) -> CreditsData:
    fact: TopUpRequested = told.fact
    return _data(
        told,
        fact.amount,
        available=fact.available.text,
        payment_intent_id=fact.payment_id,
    )


def _top_up_failed(told: Told) -> CreditsData:
    fact: TopUpRefused = told.fact
    return _data(told, code=fact.code, detail=fact.detail)


def _threshold(told: Told) -> ThresholdData:
    fact: UsageThresholdReached = told.fact
    return ThresholdData(
        credit_account_id=fact.account_id,
        external_id=_external_id(told),
        meter_id=fact.meter_id,
        period=fact.period,
        period_start=fact.period_start,
        bound=fact.bound,
        percent=fact.percent,
        limit=f"{fact.limit:f}",
        used=f"{fact.used:f}",
    )


CREDIT_KINDS: Final = (
    Kind(
        "credits.granted",
        "Credits were bought or given.",
        ("credit_account.granted.v1",),
        CreditsData,
        _granted,
        _account,
    ),
    Kind(
        "credits.expiring",
        "Credits lapse in 30 days, in 7, tomorrow.",
        ("credit_account.expiry_warned.v1",),
        CreditsData,
        _expiring,
        _account,
    ),
    Kind(
        "credits.expired",
        "Credits that nobody used have lapsed.",
        ("credit_account.grant_expired.v1",),
        CreditsData,
        _expired,
        _account,
    ),
    Kind(
        "credits.low",
        "Fewer credits are available than the account's top-up rule wants, and a payment was asked for.",
        ("top_up.requested.v1",),
        CreditsData,
        _low,
        _account,
    ),
    Kind(
        "credits.top_up_failed",
        "Credits ran low, and no payment could be asked for. It is tried again.",
        ("top_up.refused.v1",),
        CreditsData,
        _top_up_failed,
        _account,
    ),
    Kind(
        "credits.used_up",
        "A grant was used up.",
        ("usage.grant_used_up.v1",),
        CreditsData,
        _used_up,
        _account,
    ),
    Kind(
        "usage.threshold_reached",
        "Half of a limit on usage, four fifths, or all of it is used.",
        ("usage.threshold_reached.v1",),
        ThresholdData,
        _threshold,
        _account,
    ),
)
