"""Reports for the command line, over an opened ledger."""

from __future__ import annotations

from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.exports.report import Name, Report
from flamewire_ledger.exports.turnover import turnover
from flamewire_ledger.queries.happenings import happenings
from flamewire_ledger.wiring.books import journal_of
from flamewire_ledger.wiring.ledger import Ledger


async def report_of(ledger: Ledger, moment: Moment, name: Name) -> Report:
    """From the journal what is in it, else from the log."""
    match name:
        case "revenue" | "volumes" | "breakage":
            return await turnover(name, journal_of(ledger, moment), moment)
        case "funnel" | "finality" | "mrr" | "exceptions":
            return await happenings(name, ledger.store, ledger.codec, moment)
