"""GnuCash CSV: the columns of its own export of transactions, which its import reads as a multi-split file.

One transaction a posting, in the posting's own commodity, with its value in the currency of the books.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from flamewire_ledger.billing.journal import CREDITS, Entry, Moment
from flamewire_ledger.billing.trial import Gain
from flamewire_ledger.domain.money import major_text
from flamewire_ledger.exports.format import Heading, plain
from flamewire_ledger.exports.names import account_name, commodity_name
from flamewire_ledger.exports.opening import Opening

_COLUMNS: Final = (
    "Date", "Transaction ID", "Number", "Description", "Notes", "Commodity/Currency", "Void Reason",
    "Action", "Memo", "Full Account Name", "Account Name", "Amount With Sym", "Amount Num.",
    "Value With Sym", "Value Num.", "Reconcile", "Reconcile Date", "Rate/Price",
)  # fmt: skip


class GnuCash:
    media_type = "text/csv; charset=utf-8"
    extension = "csv"

    def __init__(self) -> None:
        self._moment: Moment | None = None

    def head(self, heading: Heading) -> bytes:
        self._moment = heading.moment
        return _rows([_COLUMNS])

    def account(self, account: str) -> bytes:
        return b""

    def commodity(self, code: str, decimals: int) -> bytes:
        return b""

    def opening(self, opening: Opening) -> bytes:
        return self.event(opening.entries, ())

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        """Gains are not written: they are of the valuation, and no units move."""
        return _rows([row for entry in entries for row in self._splits(entry)])

    def end(self) -> bytes:
        return b""

    def _splits(self, entry: Entry) -> list[list[str]]:
        return [
            self._split(entry, entry.debit, "", is_first=True),
            self._split(entry, entry.credit, "-", is_first=False),
        ]

    def _split(self, entry: Entry, account: str, sign: str, *, is_first: bool) -> list[str]:
        assert self._moment is not None, "the head comes first"
        currency = self._moment.currency
        name, commodity = account_name(account), commodity_name(entry.amount.asset.code)
        amount, value, with_value, price = f"{sign}{entry.amount.text}", "", "", ""
        if entry.value is not None:
            value = f"{sign}{major_text(entry.value, currency.decimals)}"
            with_value = f"{value} {currency.symbol}"
            price = plain(entry.price) if entry.price is not None else ""
        is_money = ":" not in entry.amount.asset.code and entry.amount.asset.code != CREDITS
        space = f"{'CURRENCY' if is_money else 'CRYPTO'}::{commodity}"
        shared = (
            entry.at.astimezone(UTC).date().isoformat(),
            entry.id,
            str(entry.position),
            entry.type,
            entry.stream_id,
            space,
        )
        return [
            *(shared if is_first else ("", entry.id, "", "", "", "")),
            "",
            "",
            "" if entry.value is not None else "unvalued",
            name,
            name.rpartition(":")[2],
            f"{amount} {commodity}",
            amount,
            with_value,
            value,
            "n",
            "",
            price,
        ]


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
