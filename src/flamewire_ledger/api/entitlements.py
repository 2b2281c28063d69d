"""Entitlements: granting and taking them, and the check that a gateway makes before each call."""

from __future__ import annotations

from decimal import Decimal

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.meters import meter_of
from flamewire_ledger.api.models.entitlements import GrantEntitlementBody, RevokeEntitlementBody
from flamewire_ledger.api.reading import reached
from flamewire_ledger.api.rendering import time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.commands import entitlement as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.entitlement import (
    DIRECT,
    EntitlementCommand,
    GrantEntitlement,
    RevokeEntitlement,
    grant_key,
    stream_of,
)
from flamewire_ledger.domain.meter import ADDITIVE
from flamewire_ledger.domain.rejection import Malformed
from flamewire_ledger.queries.entitlements import CREDITS, READ_MODEL, check


async def grant(call: Call) -> Envelope:
    body: GrantEntitlementBody = call.body
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    if body.meter_id is not None:
        meter = await meter_of(call, body.meter_id, "/meter_id")
        if meter.aggregation not in ADDITIVE:
            raise Malformed("only what is counted or summed up has a limit", pointer="/meter_id")
    command = GrantEntitlement(
        account_id=account_id,
        feature=body.feature,
        kind=body.kind,
        at=call.now(),
        meter_id=body.meter_id,
        limit=None if body.limit is None else Decimal(body.limit),
        period=body.period,
    )
    return _envelope(call, command)


async def revoke(call: Call) -> Envelope:
    body: RevokeEntitlementBody = call.body
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    return _envelope(call, RevokeEntitlement(account_id, body.feature, call.now()))


async def get(call: Call) -> Answer:
    """A check. What this merchant was told by this process is in it, and what it asks for."""
    account_id, feature = call.path["account"], call.path["feature"]
    await own(call, "ca", account_id)
    position = call.query.min_position or call.office.acknowledged.of(call.merchant_id)
    entitlements, merchant_id = call.parts.entitlements, call.merchant_id
    known = await entitlements.known(call.partition, merchant_id, account_id, position)
    call.parts.meter.add("facts_read", source="postgres" if known is None else "memory")
    if known is None:
        # What is waited for without being asked to is worth an older answer rather than none.
        is_there = not position or await reached(call, position, READ_MODEL, CREDITS)
        if not is_there and call.query.min_position is not None:
            raise problems.projection_behind(position)
        known = await entitlements.tell(call.partition, merchant_id, account_id)
    found = check(known, feature, call.now())
    body = {
        "object": "entitlement",
        "credit_account_id": account_id,
        "feature": feature,
        "entitled": found.entitled,
        "reason": found.reason,
        "limit": _text(found.limit),
        "used": _text(found.used),
        "remaining": _text(found.remaining),
        "resets_at": time(found.resets_at),
    }
    return Answer(to_json(body))


def _envelope(call: Call, command: EntitlementCommand) -> Envelope:
    def answer(decision: Decision) -> bytes:
        after = decision.after[stream_of(command.account_id)]
        return to_json(
            {
                "object": "entitlement_grant",
                "credit_account_id": command.account_id,
                "feature": command.feature,
                "source": command.source,
                "granted": after is not None and grant_key(command.feature, DIRECT) in after.grants,
            }
        )

    return commands.envelope(call.origin, command, answer)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
