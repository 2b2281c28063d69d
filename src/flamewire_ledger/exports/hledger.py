"""An hledger journal (https://hledger.org/1.25/hledger.html#journal-format), which `hledger check --strict`
accepts, and so does `ledger --strict --pedantic` (https://ledger-cli.org/doc/ledger3.html).

What the two write differently is written as both read it: remarks about an account or a commodity on
lines of their own, and the tags that are used. Accounts keep their own names. Like beancount's it
has a transaction an event, with what each posting was worth on both of its sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from flamewire_ledger.billing.journal import CREDITS, Entry, Moment
from flamewire_ledger.billing.trial import Gain
from flamewire_ledger.domain.money import major_text
from flamewire_ledger.exports.format import Heading, plain
from flamewire_ledger.exports.names import commodity_name
from flamewire_ledger.exports.opening import Opening
from flamewire_ledger.exports.text import one_line

_TAGS: Final = ("asset", "at", "stream", "type", "unvalued")
_TYPES: Final = {"assets": "A", "liabilities": "L", "income": "R", "expenses": "X"}


class Hledger:
    media_type = "text/plain; charset=utf-8"
    extension = "journal"

    def __init__(self) -> None:
        self._moment: Moment | None = None
        self._priced: dict[str, date] = {}  # the last day whose price was said, by asset

    def head(self, heading: Heading) -> bytes:
        moment = self._moment = heading.moment
        currency = moment.currency
        return (
            f"; Books of {moment.merchant_id} at position {moment.position}, "
            f"valued in {currency.symbol} by recorded prices.\n"
            "decimal-mark .\n"
            + "".join(f"tag {name}\n" for name in _TAGS)
            + _commodity(currency.code, currency.decimals)
        ).encode()

    def account(self, account: str) -> bytes:
        kind = _TYPES.get(account.partition(":")[0], "E")
        return f"account {account}\n    ; type: {kind}\n".encode()

    def commodity(self, code: str, decimals: int) -> bytes:
        if code == self._currency:
            return b""  # said already
        return _commodity(code, decimals).encode()

    def opening(self, opening: Opening) -> bytes:
        """In the words that `hledger close --open` uses."""
        day = _day(opening.at)
        legs = [leg for entry in opening.entries for leg in self._legs(entry)]
        return ("\n".join(("", f"{day} * opening balances", *legs)) + "\n").encode()

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        """Gains are not written: they are of the valuation, and no units move."""
        first = entries[0]
        lines = [*self._prices(entries), ""]
        lines.append(f"{_day(first.at)} * ({first.position}) {first.type}")
        lines.append(f"    ; stream: {first.stream_id}")
        lines.append(f"    ; at: {first.at.astimezone(UTC).isoformat()}")
        lines += [leg for entry in entries for leg in self._legs(entry)]
        return ("\n".join(lines) + "\n").encode()

    def end(self) -> bytes:
        return b""

    @property
    def _currency(self) -> str:
        assert self._moment is not None, "the head comes first"
        return self._moment.currency.code

    def _legs(self, entry: Entry) -> list[str]:
        amount, name = entry.amount.text, _quoted(entry.amount.asset.code)
        worth = self._worth(entry)
        return [
            f"    {entry.debit}  {amount} {name}{worth}",
            f"    {entry.credit}  -{amount} {name}{worth}",
        ]

    def _worth(self, entry: Entry) -> str:
        assert self._moment is not None, "the head comes first"
        currency, code = self._moment.currency, entry.amount.asset.code
        if code in (currency.code, CREDITS):
            return ""
        if entry.value is None:
            unvalued = major_text(entry.carried.unvalued_units, entry.amount.asset.decimals)
            return f"  ; unvalued: {unvalued}"
        return f" @@ {major_text(entry.value, currency.decimals)} {_quoted(currency.code)}"

    def _prices(self, entries: Sequence[Entry]) -> list[str]:
        """The first price of each day, where the books go by one."""
        lines = []
        for entry in entries:
            code, day = entry.amount.asset.code, entry.at.astimezone(UTC).date()
            if entry.price is None or code == self._currency or self._priced.get(code) == day:
                continue
            self._priced[code] = day
            price = f"{plain(entry.price)} {_quoted(self._currency)}"
            lines.append(f"P {day.isoformat()} {_quoted(code)} {price}")
        return lines


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _quoted(code: str) -> str:
    """A name of letters stands as it is; any other is put between quotation marks."""
    name = commodity_name(code)
    return name if name.isalpha() else f'"{name}"'


def _commodity(code: str, decimals: int) -> str:
    name = _quoted(code)
    sample = f"{_sample(decimals)} {name}"
    return f"commodity {name}\n    ; asset: {one_line(code)}\n    format {sample}\n"


def _sample(decimals: int) -> str:
    """An amount that shows how many decimals there are; the point is needed even without any."""
    return f"1.{'0' * decimals}"
