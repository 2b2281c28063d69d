"""What an account may use: features, each granted by somebody, for as long as they say so.

A feature is a flag, a quantity of a meter in a period, or that there are credits. Several may grant
the same one, a plan and a person say; what one takes away the other has still given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.rejection import LimitReached, Malformed, NotFound

Kind: TypeAlias = Literal["flag", "quantity", "credits"]
Period: TypeAlias = Literal["day", "month"]
DIRECT: Final = "direct"
GRANTS_MAX: Final = 200

# Facts.


@dataclass(frozen=True, slots=True)
class EntitlementGranted:
    """`source`: who grants it: `direct`, or what does so by its own rules, `plan:…`."""

    type: ClassVar = "entitlement.granted.v1"
    account_id: str
    feature: str
    source: str
    kind: Kind
    meter_id: str | None  # of a quantity
    limit: Decimal | None
    period: Period | None
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class EntitlementRevoked:
    type: ClassVar = "entitlement.revoked.v1"
    account_id: str
    feature: str
    source: str
    revoked_at: datetime


EntitlementEvent: TypeAlias = EntitlementGranted | EntitlementRevoked

# State.


@dataclass(frozen=True, slots=True)
class Entitlements:
    grants: Mapping[str, EntitlementGranted] = field(default_factory=dict)  # by feature and source


def grant_key(feature: str, source: str) -> str:
    return f"{feature}\x1f{source}"


def stream_of(account_id: str) -> str:
    """The stream of an account's entitlements: one each, and known without asking."""
    return f"en_{account_id.partition('_')[2]}"


def evolve(entitlements: Entitlements | None, event: EntitlementEvent) -> Entitlements:
    """Fold one fact into the state."""
    entitlements = entitlements or Entitlements()
    key = grant_key(event.feature, event.source)
    match event:
        case EntitlementGranted():
            return replace(entitlements, grants={**entitlements.grants, key: event})
        case EntitlementRevoked():
            rest = {k: it for k, it in entitlements.grants.items() if k != key}
            return replace(entitlements, grants=rest)
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class GrantEntitlement:
    account_id: str
    feature: str
    kind: Kind
    at: datetime
    source: str = DIRECT
    meter_id: str | None = None
    limit: Decimal | None = None
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class RevokeEntitlement:
    account_id: str
    feature: str
    at: datetime
    source: str = DIRECT


EntitlementCommand: TypeAlias = GrantEntitlement | RevokeEntitlement


def decide(
    entitlements: Entitlements | None, command: EntitlementCommand
) -> tuple[EntitlementEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    known = (entitlements or Entitlements()).grants
    key = grant_key(command.feature, command.source)
    match command:
        case GrantEntitlement():
            return _grant(known, key, command)
        case RevokeEntitlement():
            if key not in known and command.source != DIRECT:
                return ()  # a plan takes what somebody may have taken before
            if key not in known:
                raise NotFound(f"{command.feature} is not granted by {command.source}")
            return (
                EntitlementRevoked(command.account_id, command.feature, command.source, command.at),
            )
        case _:
            assert_never(command)


def _grant(
    known: Mapping[str, EntitlementGranted], key: str, command: GrantEntitlement
) -> tuple[EntitlementEvent, ...]:
    terms = (command.meter_id, command.limit, command.period)
    if command.kind == "quantity" and None in terms:
        raise Malformed("a quantity has a meter, a limit and a period", pointer="/limit")
    if command.kind != "quantity" and any(term is not None for term in terms):
        raise Malformed("only a quantity has a meter, a limit and a period", pointer="/kind")
    if command.limit is not None and command.limit < 0:
        raise Malformed("a limit is not below zero", pointer="/limit")
    if key not in known and len(known) >= GRANTS_MAX:
        raise LimitReached(f"an account has at most {GRANTS_MAX} entitlements")
    granted = EntitlementGranted(
        account_id=command.account_id,
        feature=command.feature,
        source=command.source,
        kind=command.kind,
        meter_id=command.meter_id,
        limit=command.limit,
        period=command.period,
        granted_at=command.at,
    )
    before = known.get(key)
    if before is not None and replace(before, granted_at=command.at) == granted:
        return ()
    return (granted,)
