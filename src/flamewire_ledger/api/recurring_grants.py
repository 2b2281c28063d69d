"""Recurring grants: a rule that grants the same again and again, until it is canceled."""

from __future__ import annotations

from typing import Any

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.credit_account_views import in_credits
from flamewire_ledger.api.credit_accounts import READ_MODEL
from flamewire_ledger.api.currencies import read_amount
from flamewire_ledger.api.models.credit_changes import (
    CancelRecurringGrantBody,
    SetRecurringGrantBody,
)
from flamewire_ledger.api.reading import Row, listed, page_of
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.commands import credit_account as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    CancelRecurringGrant,
    RecurringRule,
    SetRecurringGrant,
)
from flamewire_ledger.domain.identifiers import derived_id, is_id
from flamewire_ledger.domain.rejection import NotFound


async def create(call: Call) -> Envelope:
    body: SetRecurringGrantBody = call.body
    now, account_id = call.now(), call.path["id"]
    await own(call, "ca", account_id)
    command = SetRecurringGrant(
        account_id=account_id,
        rule_id=derived_id("rg", now, str(call.command_id)),
        amount=read_amount(body.amount, CREDIT),
        every=body.every,
        anchor=body.anchor or now,
        source=body.source,
        at=now,
        priority=body.priority,
        expires_after_seconds=body.expires_after_seconds,
        until=body.until,
    )

    def answer(decision: Decision) -> bytes:
        made: RecurringRule = decision.after[account_id].seldom.recurring[command.rule_id]
        return to_json(_of_rule(made, "active"))

    return commands.envelope(call.origin, command, answer)


async def cancel(call: Call) -> Envelope:
    body: CancelRecurringGrantBody = call.body
    now, account_id, rule_id = call.now(), call.path["id"], call.path["rule"]
    await own(call, "ca", account_id)
    if not is_id("rg", rule_id):
        raise NotFound("there is no such recurring grant")
    command = CancelRecurringGrant(account_id, rule_id, now, body.reason)

    def answer(decision: Decision) -> bytes:
        rule: RecurringRule = decision.before[account_id].seldom.recurring[rule_id]
        return to_json({**_of_rule(rule, "canceled"), "next_at": None})

    return commands.envelope(call.origin, command, answer)


async def list_all(call: Call) -> Answer:
    await own(call, "ca", call.path["id"])
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.listing(
            "recurring_grants",
            page_of(call),
            merchant_id=call.merchant_id,
            account_id=call.path["id"],
        ),
        ids="rg",
    )
    return Answer(as_list([_of_row(row) for row in listing.rows], has_more=listing.has_more))


def _of_rule(rule: RecurringRule, status: str) -> dict[str, Any]:
    terms = rule.terms
    return {
        "id": terms.rule_id,
        "object": "recurring_grant",
        "credit_account_id": terms.account_id,
        "status": status,
        **in_credits("amount", terms.amount.units),
        "every": terms.every,
        "anchor": time(terms.anchor),
        "source": terms.source,
        "priority": terms.priority,
        "expires_after_seconds": terms.expires_after_seconds,
        "until": time(terms.until),
        "next_at": time(rule.next_at),
        "created_at": time(terms.set_at),
    }


def _of_row(row: Row) -> dict[str, Any]:
    is_over = row["status"] == "active" and row["next_at"] is None
    return {
        "id": row["rule_id"],
        "object": "recurring_grant",
        "credit_account_id": row["account_id"],
        "status": "over" if is_over else row["status"],
        **in_credits("amount", int(row["units"])),
        "every": row["every"],
        "anchor": time(row["anchor"]),
        "source": row["source"],
        "priority": row["priority"],
        "expires_after_seconds": row["expires_after_seconds"],
        "until": time(row["until"]),
        "next_at": time(row["next_at"]),
        "created_at": time(row["set_at"]),
        "position": row["position"],
    }
