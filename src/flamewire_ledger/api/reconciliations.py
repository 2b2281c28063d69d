"""Reconciliations: a merchant's own books against the chain and against its payments, and what a person
decides about what did not agree. Over everybody's books it is the operator's command line that runs.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_chain
from flamewire_ledger.api.models.reconciliations import (
    CreateReconciliation,
    ListReconciliationExceptions,
    ListReconciliations,
    ResolveReconciliationException,
)
from flamewire_ledger.api.operation import PDF
from flamewire_ledger.api.parts import ChainSilent
from flamewire_ledger.api.reading import Row, find, head_reached, listed, page_of
from flamewire_ledger.api.reconciliation_pdf import pdf_of
from flamewire_ledger.api.reconciliation_report import (
    csv_of,
    exception_of,
    report_of,
    summary_of,
)
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.submitting import POSITION_HEADER
from flamewire_ledger.commands import reconciliation as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.domain.reconciliation import ResolveException
from flamewire_ledger.domain.rejection import NotFound
from flamewire_ledger.queries import reconciliations as queries

RUN: Final = "rc"
EXCEPTION: Final = "rx"
CSV: Final = "text/csv"


async def create(call: Call) -> Answer:
    """Reads the chain: that may take as long as its endpoints do, so blocks are few here."""
    body: CreateReconciliation = call.body
    reconciler = call.parts.reconciler
    if reconciler is None:
        raise problems.not_found("this process reconciles nothing: use `flamewire reconcile`")
    chain_id = find_chain(call.chains, body.network, pointer="/network").network.chain_id
    try:
        run_id, position = await reconciler.run(
            call.merchant_id, call.caller.actor, chain_id, body.first_block, body.block
        )
    except ChainSilent as error:
        raise problems.node_unavailable(str(error)) from None
    call.office.acknowledged.note(call.merchant_id, position)
    await head_reached(call, queries.READ_MODEL)
    run = await queries.run(call.parts.reads, call.merchant_id, run_id)
    assert run is not None, "the read model has come to it"
    return Answer(to_json(await _report(call, run)), {POSITION_HEADER: str(position)})


async def get(call: Call) -> Answer:
    return Answer(to_json(await _report(call, await _run(call))))


async def get_csv(call: Call) -> Answer:
    report = await _report(call, await _run(call))
    headers = {"Content-Disposition": f'attachment; filename="{report["id"]}.csv"'}
    return Answer(csv_of(report), headers, media_type=CSV)


async def get_pdf(call: Call) -> Answer:
    """Drawn anew each time, from the same facts and with the same bytes."""
    report = await _report(call, await _run(call))
    async with call.office.drawing:
        body = await asyncio.to_thread(pdf_of, report)
    headers = {"Content-Disposition": f'inline; filename="{report["id"]}.pdf"'}
    return Answer(body, headers, media_type=PDF)


async def _run(call: Call) -> Row:
    return await find(
        call,
        "reconciliation",
        queries.READ_MODEL,
        lambda: queries.run(call.parts.reads, call.merchant_id, call.path["id"]),
    )


async def _report(call: Call, run: Row) -> dict[str, Any]:
    exceptions = await queries.found_by(call.parts.reads, run)
    return report_of(run, exceptions, livemode=call.caller.livemode)


async def list_all(call: Call) -> Answer:
    query: ListReconciliations = call.query
    listing = await listed(
        call,
        queries.READ_MODEL,
        lambda: queries.runs(
            call.parts.reads, call.merchant_id, page_of(call), network=query.network
        ),
        ids=RUN,
    )
    livemode = call.caller.livemode
    rows = [summary_of(row, livemode=livemode) for row in listing.rows]
    return Answer(as_list(rows, has_more=listing.has_more))


async def list_exceptions(call: Call) -> Answer:
    query: ListReconciliationExceptions = call.query
    listing = await listed(
        call,
        queries.READ_MODEL,
        lambda: queries.exceptions(
            call.parts.reads,
            call.merchant_id,
            page_of(call),
            status=query.status,
            network=query.network,
            reconciliation_id=query.reconciliation_id,
        ),
        ids=EXCEPTION,
    )
    now = call.now()
    rows = [exception_of(row, now) for row in listing.rows]
    return Answer(as_list(rows, has_more=listing.has_more))


async def resolve(call: Call) -> Envelope:
    body: ResolveReconciliationException = call.body
    await head_reached(call, queries.READ_MODEL)
    row = await queries.exception(call.parts.reads, call.merchant_id, call.path["id"])
    if row is None:
        raise NotFound("there is no such exception")
    now = call.now()
    command = ResolveException(
        row["reconciliation_id"], row["exception_id"], body.settled, body.reason, now
    )
    shown = {
        **exception_of(row, now),
        "status": "settled",
        "settled": body.settled,
        "reason": body.reason,
        "resolved_at": time(now),
    }
    del shown["position"]  # it is put in when the answer is sent
    return commands.resolving(call.origin, command, lambda decision: to_json(shown))
