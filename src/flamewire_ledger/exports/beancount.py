"""Beancount (https://beancount.github.io/docs/beancount_language_syntax.html), which `bean-check` accepts.

One transaction an event, with its position. What a posting was worth stands behind it (`@@ 25.00 USD`)
on both sides, so that every pair balances in units and in value; what has no recorded price balances
in units, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from flamewire_ledger.billing.journal import CREDITS, Entry
from flamewire_ledger.billing.trial import Gain
from flamewire_ledger.domain.money import major_text
from flamewire_ledger.exports.format import Heading, plain
from flamewire_ledger.exports.names import account_name, commodity_name
from flamewire_ledger.exports.opening import OPENING_TYPE, Opening
from flamewire_ledger.exports.text import in_quotes


class Beancount:
    media_type = "text/plain; charset=utf-8"
    extension = "beancount"

    def __init__(self) -> None:
        self._heading: Heading | None = None
        self._priced: dict[str, date] = {}  # the last day whose price was said, by commodity

    @property
    def _moment(self) -> Heading:
        assert self._heading is not None, "the head comes first"
        return self._heading

    def head(self, heading: Heading) -> bytes:
        self._heading = heading
        moment = heading.moment
        return (
            f"; Books of {moment.merchant_id} at position {moment.position}, "
            f"valued in {moment.currency.symbol} by recorded prices.\n"
            f'option "title" "{moment.merchant_id}"\n'
            f'option "operating_currency" "{moment.currency.symbol}"\n\n'
        ).encode()

    def account(self, account: str) -> bytes:
        day = _day(self._moment.begins)
        return f'{day} open {account_name(account)}\n  account: "{in_quotes(account)}"\n'.encode()

    def commodity(self, code: str, decimals: int) -> bytes:
        day = _day(self._moment.begins)
        name = commodity_name(code)
        return f'{day} commodity {name}\n  asset: "{in_quotes(code)}"\n  decimals: {decimals}\n'.encode()

    def opening(self, opening: Opening) -> bytes:
        """Without `pad`: every posting says how much it is."""
        day = _day(opening.at)
        legs = [leg for entry in opening.entries for leg in self._legs(entry)]
        return ("\n".join((f'{day} * "{OPENING_TYPE}"', *legs)) + "\n").encode()

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        """Gains are not written: they are of the valuation, and no units move."""
        first = entries[0]
        day = _day(first.at)
        lines = [*self._prices(entries), f'{day} * "{first.type}"']
        lines.append(f"  position: {first.position}")
        lines.append(f'  stream: "{first.stream_id}"')
        lines.append(f'  at: "{first.at.astimezone(UTC).isoformat()}"')
        for entry in entries:
            lines += self._legs(entry)
        return ("\n".join(lines) + "\n").encode()

    def end(self) -> bytes:
        return b""

    def _legs(self, entry: Entry) -> list[str]:
        amount, name = entry.amount.text, commodity_name(entry.amount.asset.code)
        worth, remark = self._worth(entry)
        return [
            f"  {account_name(entry.debit)}  {amount} {name}{worth}",
            *remark,
            f"  {account_name(entry.credit)}  -{amount} {name}{worth}",
        ]

    def _worth(self, entry: Entry) -> tuple[str, list[str]]:
        currency = self._moment.moment.currency
        code = entry.amount.asset.code
        if code in (currency.code, CREDITS):
            return "", []
        if entry.value is None:
            unvalued = major_text(entry.carried.unvalued_units, entry.amount.asset.decimals)
            return "", [f'    unvalued: "{unvalued}"']
        return f" @@ {major_text(entry.value, currency.decimals)} {currency.symbol}", []

    def _prices(self, entries: Sequence[Entry]) -> list[str]:
        """The first price of each day, where the books go by one."""
        currency, lines = self._moment.moment.currency, []
        for entry in entries:
            code, day = entry.amount.asset.code, entry.at.astimezone(UTC).date()
            if entry.price is None or code == currency.code or self._priced.get(code) == day:
                continue
            self._priced[code] = day
            price = f"{plain(entry.price)} {currency.symbol}"
            lines.append(f"{day.isoformat()} price {commodity_name(code)} {price}")
        return lines


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
