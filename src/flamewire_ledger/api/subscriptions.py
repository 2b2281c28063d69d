"""Subscriptions: starting one, changing, pausing and ending it, and what it will cost next."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flamewire_ledger.api import problems
from flamewire_ledger.api import subscription_views as views
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.subscriptions import (
    CancelBody,
    ChangePlanBody,
    CreateSubscription,
    ListSubscriptions,
    PauseBody,
)
from flamewire_ledger.api.plans import plan_id_for
from flamewire_ledger.api.reading import caught_up, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, to_json
from flamewire_ledger.api.seller import party_of
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.billing.subscriptions import Usage, upcoming, usage_until
from flamewire_ledger.commands import subscription as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Answer as StoredAnswer
from flamewire_ledger.domain import subscription as domain
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.rejection import Malformed
from flamewire_ledger.domain.subscription import Subscription
from flamewire_ledger.queries.database import Row
from flamewire_ledger.queries.metered_usage import MeteredUsage, UsageBehind

READ_MODEL: Final = "subscriptions"


async def create(call: Call) -> Envelope:
    body: CreateSubscription = call.body
    now = call.now()
    await own(call, "ca", body.credit_account_id, "/credit_account_id")
    subscription_id = derived_id("sub", now, str(call.command_id))
    plan_id = await plan_id_for(call, body.plan, "/plan")
    command = commands.Start(
        subscription_id=subscription_id,
        credit_account_id=body.credit_account_id,
        plan_id=plan_id,
        quantity=body.quantity,
        starts_at=body.start_at or now,
        with_trial=body.trial,
        reference=body.reference,
        at=now,
        bill_to=None if body.bill_to is None else party_of(body.bill_to),
    )
    return commands.start(call.origin, command, _answer(subscription_id))


async def change_plan(call: Call) -> Envelope:
    body: ChangePlanBody = call.body
    if body.plan is None and body.quantity is None:
        raise Malformed("a change is of the plan, the quantity, or both", pointer="/plan")
    subscription_id, now = await _own(call), call.now()
    plan_id = None if body.plan is None else await plan_id_for(call, body.plan, "/plan")
    account_id = (await _state(call, subscription_id)).started.credit_account_id
    at_once = body.when == "now"
    command = commands.Change(
        subscription_id=subscription_id,
        credit_account_id=account_id,
        plan_id=plan_id,
        quantity=body.quantity,
        now=at_once,
        prorate=body.prorate,
        usage=await _usage(call, subscription_id, now) if at_once else {},
        at=now,
    )
    return commands.change(call.origin, command, _answer(subscription_id))


async def pause(call: Call) -> Envelope:
    body: PauseBody = call.body
    subscription_id = await _own(call)
    command = domain.PauseSubscription(subscription_id, "asked", body.resume_at, call.now())
    return commands.envelope(call.origin, command, _answer(subscription_id))


async def resume(call: Call) -> Envelope:
    subscription_id = await _own(call)
    command = domain.ResumeSubscription(subscription_id, call.now())
    return commands.envelope(call.origin, command, _answer(subscription_id))


async def cancel(call: Call) -> Envelope:
    body: CancelBody = call.body
    subscription_id, now = await _own(call), call.now()
    answer = _answer(subscription_id)
    if body.when == "period_end":
        later = domain.ScheduleCancel(subscription_id, now)
        return commands.envelope(call.origin, later, answer)
    usage = await _usage(call, subscription_id, now)
    account_id = (await _state(call, subscription_id)).started.credit_account_id
    command = commands.CancelNow(subscription_id, account_id, body.prorate, usage, now)
    return commands.cancel(call.origin, command, answer)


def _answer(subscription_id: str) -> StoredAnswer:
    return lambda decision: to_json(views.of_state(decision.after[subscription_id]))


async def _own(call: Call) -> str:
    subscription_id = call.path["id"]
    await own(call, "sub", subscription_id)
    return subscription_id


async def _state(call: Call, subscription_id: str) -> Subscription:
    state: Subscription | None = None
    for event in await events_of(call, subscription_id):
        state = domain.evolve(state, event)
    assert state is not None, "whoever owns a stream has one"
    return state


async def _usage(call: Call, subscription_id: str, at: datetime) -> Usage:
    """What was used and not billed until then, or until the pause or the end of the period."""
    state = await _state(call, subscription_id)
    if state.period is None:
        return {}
    until = min(state.paused_at or at, state.period.end)
    return await _metered(call, state, until)


async def _metered(call: Call, state: Subscription, until: datetime) -> Usage:
    reader = MeteredUsage(call.parts.reads, call.parts.store)
    keys = usage_until(state, until)
    try:
        return await reader.metered(call.merchant_id, state.started.credit_account_id, keys)
    except UsageBehind:
        head = await call.parts.store.head(call.partition)
        raise problems.projection_behind(head) from None


async def get_upcoming(call: Call) -> Answer:
    """Worked out from the log, so that it is what would be asked for now."""
    subscription_id = await _own(call)
    await caught_up(call, READ_MODEL)
    state = await _state(call, subscription_id)
    usage = await _metered(call, state, state.period.end) if state.period is not None else {}
    found = upcoming(state, usage)
    if found is None:
        raise problems.not_found(f"nothing will be asked for: the subscription is {state.status}")
    return Answer(to_json(views.upcoming(state, found)))


async def get(call: Call) -> Answer:
    row = await find(call, "subscription", READ_MODEL, lambda: _row(call))
    return Answer(to_json(views.of_row(row)))


async def _row(call: Call) -> Row | None:
    asked = {"merchant_id": call.merchant_id, "subscription_id": call.path["id"]}
    rows = await call.parts.reads.ask(READ_MODEL, "subscription_by_id", asked)
    return rows[0] if rows else None


async def list_all(call: Call) -> Answer:
    query: ListSubscriptions = call.query
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.listing(
            "subscriptions",
            page_of(call),
            merchant_id=call.merchant_id,
            status=query.status,
            credit_account_id=query.credit_account_id,
            plan_id=query.plan,
        ),
        ids="sub",
    )
    data = [views.of_row(row) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))
