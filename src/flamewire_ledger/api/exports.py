"""Exports: the books as a file for another program, sent as it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.reports import GetExport
from flamewire_ledger.api.valuing import journal_of, moment_of
from flamewire_ledger.exports.format import FormatUnavailable
from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.exports.writing import Window, written


async def get(call: Call) -> Answer:
    """At most two at a time for a process: each follows the books from their beginning."""
    query: GetExport = call.query
    name = call.path["format"]
    if name not in FORMATS:
        raise problems.not_found(f"there is no such format: one of {', '.join(FORMATS)}")
    if call.office.exporting.locked():
        raise problems.rate_limited(10)
    try:
        target = FORMATS[name]()
    except FormatUnavailable as error:
        raise problems.not_found(str(error)) from None
    moment = await moment_of(call, query.as_of, query.valuation)
    pieces = written(journal_of(call, moment), moment, target, Window(query.since, query.before))
    first = await anext(pieces)  # what fails at once is a problem, not half a file
    filename = f"{call.merchant_id}-{moment.position}.{target.extension}"
    return Answer(
        first,
        {
            "Content-Disposition": f'attachment; filename="{filename}"',
            "X-Ledger-Position": str(moment.position),
        },
        media_type=target.media_type,
        more=_in_turn(call, pieces),
    )


async def _in_turn(call: Call, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with call.office.exporting:
        async for piece in pieces:
            yield piece
