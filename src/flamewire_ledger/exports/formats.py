"""Every format there is, by the name that the API and the command line know it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flamewire_ledger.exports.beancount import Beancount
from flamewire_ledger.exports.format import Format
from flamewire_ledger.exports.gnucash import GnuCash
from flamewire_ledger.exports.hledger import Hledger
from flamewire_ledger.exports.quickbooks import QuickBooks
from flamewire_ledger.exports.table import Csv, Parquet

FORMATS: Final[Mapping[str, Callable[[], Format]]] = {
    "beancount": Beancount,
    "hledger": Hledger,
    "gnucash": GnuCash,
    "quickbooks": QuickBooks,
    "csv": Csv,
    "parquet": Parquet,
}
