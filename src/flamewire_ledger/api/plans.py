"""Plans: making one, looking at it, selling it on other terms, and selling it no more."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import plan_views as views
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.meters import meter_of
from flamewire_ledger.api.models.plans import CreatePlan, ListPlans, RevisePlan
from flamewire_ledger.api.reading import find, listed, page_of
from flamewire_ledger.api.rendering import as_list, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.commands import plan as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.domain import plan as domain
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.domain.meter import ADDITIVE
from flamewire_ledger.domain.plan import PlanCommand, plan_id_of
from flamewire_ledger.domain.plan_terms import PlanTerms
from flamewire_ledger.domain.rejection import Malformed, NotFound
from flamewire_ledger.queries.database import Row

READ_MODEL: Final = "plans"


async def create(call: Call) -> Envelope:
    body: CreatePlan = call.body
    plan_id = plan_id_of(call.merchant_id, body.code)
    terms = await _terms(call, body)
    return _envelope(call, domain.CreatePlan(plan_id, body.code, terms, call.now()))


async def revise(call: Call) -> Envelope:
    body: RevisePlan = call.body
    await own(call, "plan", call.path["id"])
    terms = await _terms(call, body)
    return _envelope(call, domain.RevisePlan(call.path["id"], terms, call.now()))


async def archive(call: Call) -> Envelope:
    await own(call, "plan", call.path["id"])
    return _envelope(call, domain.ArchivePlan(call.path["id"], call.now()))


async def _terms(call: Call, body: CreatePlan | RevisePlan) -> PlanTerms:
    """The terms; their meters are the merchant's own."""
    terms = views.terms_of_body(call, body)
    for index, metered in enumerate(terms.metered):
        await meter_of(call, metered.meter_id, f"/metered_prices/{index}/meter_id")
    for index, entitlement in enumerate(terms.entitlements):
        if entitlement.meter_id is not None:
            pointer = f"/entitlements/{index}/meter_id"
            meter = await meter_of(call, entitlement.meter_id, pointer)
            if meter.aggregation not in ADDITIVE:
                raise Malformed("only what is counted or summed up has a limit", pointer=pointer)
    return terms


def _envelope(call: Call, command: PlanCommand) -> Envelope:
    plan_id = command.plan_id
    return commands.envelope(
        call.origin, command, lambda it: to_json(views.of_state(it.after[plan_id]))
    )


async def plan_id_for(call: Call, name: str, pointer: str) -> str:
    """The id of the merchant's plan that is named by its id or its code."""
    plan_id = name if is_id("plan", name) else plan_id_of(call.merchant_id, name)
    try:
        await own(call, "plan", plan_id, pointer)
    except NotFound:
        raise NotFound("there is no such plan: name its id or its code", pointer=pointer) from None
    return plan_id


async def get(call: Call) -> Answer:
    row = await find(call, "plan", READ_MODEL, lambda: _row(call))
    return Answer(to_json(views.of_row(row)))


async def _row(call: Call) -> Row | None:
    asked = {"merchant_id": call.merchant_id, "plan_id": call.path["id"]}
    rows = await call.parts.reads.ask(READ_MODEL, "plan_by_id", asked)
    return rows[0] if rows else None


async def list_all(call: Call) -> Answer:
    query: ListPlans = call.query
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.listing(
            "plans", page_of(call), merchant_id=call.merchant_id, code=query.code
        ),
        ids="plan",
    )
    return Answer(as_list([views.of_row(row) for row in listing.rows], has_more=listing.has_more))
