"""QuickBooks IIF: general journal entries in the currency of the books, separated by tabs.

It knows one currency, so amounts are values: each TRNS and its SPL sum to zero. What has no recorded price
is there with zero and says so; credits, which have no value of their own, are left out. What was gained
or lost is an entry of its own, so that the accounts stand as in the valued trial balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from flamewire_ledger.billing.journal import CREDITS, Entry, Moment
from flamewire_ledger.billing.trial import OPENING_BALANCES, REALISED_GAINS, Gain
from flamewire_ledger.domain.money import major_text
from flamewire_ledger.exports.format import Heading
from flamewire_ledger.exports.names import account_name, commodity_name
from flamewire_ledger.exports.opening import Opening

_FIELDS: Final = ("TRNSTYPE", "DATE", "ACCNT", "AMOUNT", "DOCNUM", "MEMO")
_TYPES: Final = {
    "assets": "OCASSET",
    "liabilities": "OCLIAB",
    "equity": "EQUITY",
    "income": "INC",
    "expenses": "EXP",
}


class QuickBooks:
    media_type = "text/plain; charset=utf-8"
    extension = "iif"

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._has_columns = False  # of transactions: they stand between accounts and events

    def head(self, heading: Heading) -> bytes:
        self._moment = heading.moment
        accounts = _line("!ACCNT", "NAME", "ACCNTTYPE", "DESC")
        return accounts + self.account(REALISED_GAINS)

    def account(self, account: str) -> bytes:
        kind = _TYPES.get(account.partition(":")[0])
        return b"" if kind is None else _line("ACCNT", account_name(account), kind, account)

    def commodity(self, code: str, decimals: int) -> bytes:
        return b""

    def opening(self, opening: Opening) -> bytes:
        """Values, with what was gained before; an account without any is not in it."""
        text = self._columns()
        for account, value in opening.values:
            debit, credit = account, OPENING_BALANCES
            if value < 0:
                debit, credit = credit, debit
            text += self._entry(opening.at, "0", debit, credit, abs(value), "opening balance")
        return text

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        text = self._columns()
        text += b"".join(self._posting(it) for it in entries if it.amount.asset.code != CREDITS)
        first = entries[0]
        for gain in gains:
            debit, credit = gain.account, REALISED_GAINS
            if gain.units < 0:
                debit, credit = credit, debit
            memo = f"realised on {commodity_name(gain.asset)}"
            number = str(first.position)
            text += self._entry(first.at, number, debit, credit, abs(gain.units), memo)
        return text

    def end(self) -> bytes:
        return self._columns()

    def _columns(self) -> bytes:
        if self._has_columns:
            return b""
        self._has_columns = True
        return _line("!TRNS", *_FIELDS) + _line("!SPL", *_FIELDS) + _line("!ENDTRNS")

    def _posting(self, entry: Entry) -> bytes:
        memo = f"{entry.type} {entry.stream_id}: {entry.amount.text} "
        memo += commodity_name(entry.amount.asset.code)
        if entry.carried.unvalued_units:
            unvalued = major_text(entry.carried.unvalued_units, entry.amount.asset.decimals)
            memo += f" (unvalued: {unvalued})"
        number, value = str(entry.position), entry.carried.value
        return self._entry(entry.at, number, entry.debit, entry.credit, value, memo)

    def _entry(
        self, at: datetime, number: str, debit: str, credit: str, value: int, memo: str
    ) -> bytes:
        assert self._moment is not None, "the head comes first"
        amount = major_text(value, self._moment.currency.decimals)
        day = at.astimezone(UTC).strftime("%m/%d/%Y")
        shared = ("GENERAL JOURNAL", day)
        minus = f"-{amount}" if value else amount
        return (
            _line("TRNS", *shared, account_name(debit), amount, number, memo)
            + _line("SPL", *shared, account_name(credit), minus, number, memo)
            + _line("ENDTRNS")
        )


def _line(*cells: str) -> bytes:
    cleaned = (cell.replace("\t", " ").replace("\n", " ").replace("\r", " ") for cell in cells)
    return ("\t".join(cleaned) + "\r\n").encode()
