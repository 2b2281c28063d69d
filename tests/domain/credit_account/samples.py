"""A credit account and what may be asked of it. Amounts are units; times are minutes after noon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flamewire_ledger.domain.credit_account import (
    CREDIT,
    PRIORITY_DEFAULT,
    CaptureHold,
    ConsumeCredits,
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    HoldCredits,
    OpenCreditAccount,
    ReleaseHold,
    ReverseGrant,
    Slice,
    Source,
    balance,
    decide,
    evolve,
)
from flamewire_ledger.domain.money import Amount
from tests.domain.spec import Spec

ACCOUNT = "ca_01kayv3m8se0p9q7r2t4w6x8za"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def account() -> Spec:
    return Spec(decide, evolve)


def minute(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def credit(units: int) -> Amount:
    return Amount(CREDIT, units)


def slices(**parts: int) -> tuple[Slice, ...]:
    return tuple(Slice(grant, units) for grant, units in parts.items())


def opened(overage_max: int = 0) -> OpenCreditAccount:
    return OpenCreditAccount(ACCOUNT, "cust-1", "Ada", NOON, credit(overage_max))


def grant(
    grant_id: str,
    units: int,
    *,
    at: int = 0,
    source: Source = "granted",
    priority: int = PRIORITY_DEFAULT,
    expires: int | None = None,
    payment: str | None = None,
) -> GrantCredits:
    return GrantCredits(
        ACCOUNT,
        grant_id,
        credit(units),
        source,
        minute(at),
        priority,
        None if expires is None else minute(expires),
        payment,
    )


def consume(units: int, *, at: int = 1) -> ConsumeCredits:
    return ConsumeCredits(ACCOUNT, credit(units), minute(at), "eth_call")


def hold(hold_id: str, units: int, *, at: int = 1, expires: int = 60) -> HoldCredits:
    return HoldCredits(ACCOUNT, hold_id, credit(units), minute(expires), minute(at))


def capture(hold_id: str, units: int | None = None, *, at: int = 2) -> CaptureHold:
    amount = None if units is None else credit(units)
    return CaptureHold(ACCOUNT, hold_id, minute(at), amount, "eth_call")


def release(hold_id: str, *, at: int = 2) -> ReleaseHold:
    return ReleaseHold(ACCOUNT, hold_id, minute(at))


def expire_hold(hold_id: str, *, at: int = 60) -> ExpireHold:
    return ExpireHold(ACCOUNT, hold_id, minute(at))


def expire_grant(grant_id: str, *, at: int = 10) -> ExpireGrant:
    return ExpireGrant(ACCOUNT, grant_id, minute(at))


def reverse(grant_id: str, *, at: int = 5) -> ReverseGrant:
    return ReverseGrant(ACCOUNT, grant_id, "pi_1", minute(at))


def available(spec: Spec, at: int = 1) -> int:
    return balance(spec.state, minute(at)).available.units
