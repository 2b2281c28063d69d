"""Reports: one handler each; what they say is worked out from the books at a position."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.reports import GetReport, GetTaxLots
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.api.valuing import Counted, journal_of, moment_of
from flamewire_ledger.exports.chart import Picture, drawn
from flamewire_ledger.exports.format import FormatUnavailable
from flamewire_ledger.exports.report import NAMES, Report, as_csv
from flamewire_ledger.exports.tax_report import as_csv as tax_csv
from flamewire_ledger.exports.tax_report import tax_report
from flamewire_ledger.exports.turnover import turnover
from flamewire_ledger.queries.happenings import happenings

CSV: Final = "text/csv"
SVG: Final = "image/svg+xml"
PNG: Final = "image/png"


async def get_tax_lots(call: Call) -> Answer:
    """As `flamewire report tax` says it."""
    return Answer(to_json(await _tax_lots(call)))


async def get_tax_lots_csv(call: Call) -> Answer:
    """The lines alone."""
    headers = {"Content-Disposition": 'attachment; filename="tax_lots.csv"'}
    return Answer(tax_csv(await _tax_lots(call)).encode(), headers, media_type=CSV)


async def _tax_lots(call: Call) -> dict[str, Any]:
    query: GetTaxLots = call.query
    moment = await moment_of(call, query.as_of, query.valuation)
    return await tax_report(
        journal_of(call, moment, with_credits=False),
        moment,
        year=query.year,
        method=query.method,
        scope=query.scope,
        with_lots=query.lots,
        count=Counted().take,
    )


async def get_report(call: Call) -> Answer:
    """As `flamewire report` says it."""
    return Answer(to_json((await _report(call)).as_data()))


async def get_report_csv(call: Call) -> Answer:
    report = await _report(call)
    headers = {"Content-Disposition": f'attachment; filename="{report.name}.csv"'}
    return Answer(as_csv(report.as_data()).encode(), headers, media_type=CSV)


async def get_report_svg(call: Call) -> Answer:
    return await _picture(call, "svg", SVG)


async def get_report_png(call: Call) -> Answer:
    return await _picture(call, "png", PNG)


async def _picture(call: Call, picture: Picture, media_type: str) -> Answer:
    """Drawn in a thread: it takes longer than others may wait."""
    report = await _report(call)
    try:
        content = await asyncio.to_thread(drawn, report.as_data(), picture)
    except FormatUnavailable as error:
        raise problems.not_found(str(error)) from None
    headers = {"Content-Disposition": f'inline; filename="{report.name}.{picture}"'}
    return Answer(content, headers, media_type=media_type)


async def _report(call: Call) -> Report:
    """From the journal what is in it, else from the log; both of a bounded length."""
    query: GetReport = call.query
    name = next((it for it in NAMES if it == call.path["report"]), None)
    if name is None:
        raise problems.not_found(f"there is no such report: there are tax_lots, {', '.join(NAMES)}")
    moment = await moment_of(call, query.as_of, query.valuation)
    count = Counted().take
    match name:
        case "revenue" | "volumes" | "breakage":
            return await turnover(name, journal_of(call, moment), moment, count)
        case "funnel" | "finality" | "mrr" | "exceptions":
            return await happenings(name, call.parts.store, call.parts.codec, moment, count)
