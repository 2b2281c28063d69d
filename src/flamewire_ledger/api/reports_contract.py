"""The part of the contract that is about books, reports and exports: rows as in contract.py."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import books, exports, reports, valued_books
from flamewire_ledger.api.fields import Fresh
from flamewire_ledger.api.models import books as book_models
from flamewire_ledger.api.models import reports as report_models
from flamewire_ledger.api.operation import Operation

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
BOOKS: Final = (
    Operation("list_balances", "GET", "/v1/balances", "Both sides of every account and asset",
        "ledger:read", handler=books.list_balances, response=book_models.Balances,
        query=book_models.ListBalances),
    Operation("list_ledger_accounts", "GET", "/v1/ledger/accounts", "The chart of accounts",
        "ledger:read", handler=valued_books.list_accounts, response=report_models.ChartOfAccounts,
        query=Fresh, description="A name in braces stands for each network, or credit account."),
    Operation("list_ledger_entries", "GET", "/v1/ledger/entries", "Postings, newest first",
        "ledger:read", handler=books.list_entries, response=book_models.LedgerEntries,
        query=book_models.ListLedgerEntries),
    Operation("get_trial_balance", "GET", "/v1/ledger/trial_balance",
        "Sums of debits and credits by asset, and by value", "ledger:read",
        handler=books.get_trial_balance, response=book_models.TrialBalance,
        query=book_models.GetTrialBalance,
        description="They are equal, or the books are wrong. With `valuation`, also every account "
        "in one currency, by recorded prices."),
)

REPORTS: Final = (
    Operation("get_tax_lots", "GET", "/v1/reports/tax_lots",
        "What was disposed of in a year, and from which lots", "ledger:read",
        handler=reports.get_tax_lots, response=report_models.TaxReport,
        query=report_models.GetTaxLots,
        description="Lines as on Form 8949 and 1099-DA, from recorded prices. No tax advice."),
    Operation("get_tax_lots_csv", "GET", "/v1/reports/tax_lots.csv",
        "The lines of tax lots as CSV", "ledger:read", handler=reports.get_tax_lots_csv,
        query=report_models.GetTaxLots, gives=reports.CSV),
    Operation("get_report_csv", "GET", "/v1/reports/{report}.csv", "A report as CSV",
        "ledger:read", handler=reports.get_report_csv, query=report_models.GetReport,
        gives=reports.CSV),
    Operation("get_report_svg", "GET", "/v1/reports/{report}.svg", "A report as a chart",
        "ledger:read", handler=reports.get_report_svg, query=report_models.GetReport,
        gives=reports.SVG,
        description="The extra `charts` has to be installed; the same report is the same bytes."),
    Operation("get_report_png", "GET", "/v1/reports/{report}.png", "A report as a picture",
        "ledger:read", handler=reports.get_report_png, query=report_models.GetReport,
        gives=reports.PNG),
    Operation("get_report", "GET", "/v1/reports/{report}", "A report at a position",
        "ledger:read", handler=reports.get_report, response=report_models.ReportView,
        query=report_models.GetReport,
        description="`revenue`, `volumes`, `funnel`, `finality`, `breakage`, `mrr` or `exceptions`."),
)

EXPORTS: Final = (
    Operation("export_books", "GET", "/v1/exports/{format}", "The books for another program",
        "ledger:read", handler=exports.get, query=report_models.GetExport, gives="text/plain",
        gives_also=("text/csv", "application/vnd.apache.parquet"),
        description="`beancount`, `hledger`, `gnucash`, `quickbooks`, `csv` or `parquet`. The same "
        "position gives the same bytes; without `as_of`, `X-Ledger-Position` says which it was."),
)
# fmt: on
