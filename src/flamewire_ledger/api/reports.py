"""Reports: one handler each; what they say is worked out from the books at a position."""

from __future__ import annotations

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.reports import GetTaxLots
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.api.valuing import Counted, journal_of, moment_of
from flamewire_ledger.exports.tax_report import tax_report


async def get_tax_lots(call: Call) -> Answer:
    """As `flamewire report tax` says it."""
    query: GetTaxLots = call.query
    moment = await moment_of(call, query.as_of, query.valuation)
    report = await tax_report(
        journal_of(call, moment, with_credits=False),
        moment,
        year=query.year,
        method=query.method,
        scope=query.scope,
        with_lots=query.lots,
        count=Counted().take,
    )
    return Answer(to_json(report))
