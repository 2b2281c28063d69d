"""Automatic top-ups: the rule of a credit account, and what it has asked for."""

from __future__ import annotations

from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_chain, find_token, read_amount
from flamewire_ledger.api.models.top_ups import SetTopUpBody
from flamewire_ledger.api.reading import Row, find
from flamewire_ledger.api.rendering import money, time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.commands import top_up as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.top_up import Payable, RemoveTopUpRule, SetTopUpRule, TopUp

READ_MODEL: Final = "top_ups"
REQUESTS_MAX: Final = 20


async def put(call: Call) -> Envelope:
    """Set the rule, or set it anew: what is asked for already is not asked for again."""
    body: SetTopUpBody = call.body
    now, account_id = call.now(), call.path["id"]
    await own(call, "ca", account_id)
    for index, way in enumerate(body.pay_with):
        chain = find_chain(call.chains, way.network, f"/pay_with/{index}/network")
        find_token(chain, way.asset, f"/pay_with/{index}/asset")
    command = SetTopUpRule(
        top_up_id=commands.top_up_id(account_id),
        account_id=account_id,
        threshold=read_amount(body.threshold, CREDIT, "/threshold"),
        target=_amount(body.target, "/target"),
        amount=_amount(body.amount, "/amount"),
        currency=body.currency,
        pay_with=tuple(Payable(way.network, way.asset) for way in body.pay_with),
        per_day_max=_amount(body.per_day_max, "/per_day_max"),
        per_month_max=_amount(body.per_month_max, "/per_month_max"),
        cooldown_seconds=body.cooldown_seconds,
        expires_in_seconds=body.expires_in_seconds,
        at=now,
    )
    return commands.envelope(call.origin, command, lambda it: _answer(it, command.top_up_id))


def _amount(text: str | None, pointer: str) -> Amount | None:
    return None if text is None else read_amount(text, CREDIT, pointer)


async def remove(call: Call) -> Envelope:
    """No more requests; one that is open may still be paid."""
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    top_up_id = commands.top_up_id(account_id)
    command = RemoveTopUpRule(top_up_id, call.now())
    return commands.envelope(call.origin, command, lambda it: _answer(it, top_up_id))


def _answer(decision: Decision, top_up_id: str) -> bytes:
    state: TopUp = decision.after[top_up_id]
    rule = state.rule
    return to_json(
        {
            "id": top_up_id,
            "object": "top_up",
            "credit_account_id": rule.account_id,
            "status": "on" if state.is_on else "removed",
            **money("threshold", rule.threshold),
            **money("target", rule.target),
            **money("amount", rule.amount),
            "currency": rule.currency,
            "pay_with": [{"network": way.network, "asset": way.asset} for way in rule.pay_with],
            **money("per_day_max", rule.per_day_max),
            **money("per_month_max", rule.per_month_max),
            "cooldown_seconds": rule.cooldown_seconds,
            "expires_in_seconds": rule.expires_in_seconds,
        }
    )


async def get(call: Call) -> Answer:
    account_id, reads = call.path["id"], call.parts.reads
    await own(call, "ca", account_id)
    asked = {"merchant_id": call.merchant_id, "top_up_id": commands.top_up_id(account_id)}

    async def rule() -> Row | None:
        return next(iter(await reads.ask(READ_MODEL, "top_up_by_id", asked)), None)

    row = await find(call, "top-up rule of this account", READ_MODEL, rule)
    requests = await reads.ask(
        READ_MODEL, "top_up_requests_latest", {**asked, "limit": REQUESTS_MAX}
    )
    return Answer(to_json({**_of_row(row), "requests": [_request(each) for each in requests]}))


def _of_row(row: Row) -> dict[str, Any]:
    refused = row["refused_code"]
    return {
        "id": row["top_up_id"],
        "object": "top_up",
        "credit_account_id": row["account_id"],
        "status": "on" if row["is_on"] else "removed",
        **_credits("threshold", row["threshold_units"]),
        **_credits("target", row["target_units"]),
        **_credits("amount", row["amount_units"]),
        "currency": row["currency"],
        "pay_with": row["pay_with"],
        **_credits("per_day_max", row["per_day_max_units"]),
        **_credits("per_month_max", row["per_month_max_units"]),
        "cooldown_seconds": row["cooldown_seconds"],
        "expires_in_seconds": row["expires_in_seconds"],
        "position": row["position"],
        "payment_intent_id": row["payment_id"],
        "again_at": time(row["again_at"]),
        "refused": None if refused is None else f"{refused}: {row['refused_detail']}",
        "alarmed_at": time(row["alarmed_at"]),
    }


def _request(row: Row) -> dict[str, Any]:
    return {
        "payment_intent_id": row["payment_id"],
        "number": row["number"],
        **_credits("amount", row["units"]),
        "outcome": row["outcome"],
        "requested_at": time(row["requested_at"]),
        "closed_at": time(row["closed_at"]),
    }


def _credits(name: str, units: Any) -> dict[str, str | None]:
    return money(name, None if units is None else Amount(CREDIT, int(units)))
