"""What stood on every account before the window of an export: its opening entries.

A program that is given one month adds up to the balances of that month's end only when it is told what
was there before. Each account and asset is one posting against `equity:opening_balances`, which
comes to nothing in every asset, as the books balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flamewire_ledger.billing.carrying import Carried, Part
from flamewire_ledger.billing.journal import Entry
from flamewire_ledger.billing.trial import OPENING_BALANCES, REALISED_GAINS, AccountValue, Gain
from flamewire_ledger.domain.money import Amount, Asset

OPENING_TYPE: Final = "opening_balances"


@dataclass(frozen=True, slots=True)
class Opening:
    """All of it. `entries` are in units; `values`, in base units of the currency, have by account what
    was gained as well. Debits are positive.
    """

    at: datetime
    entries: tuple[Entry, ...]
    values: tuple[tuple[str, int], ...]

    @property
    def is_empty(self) -> bool:
        return not self.entries and not self.values


@dataclass(slots=True)
class Standing:
    """Adds up what happened before a moment, in the order of the journal."""

    _lines: dict[tuple[str, str], AccountValue] = field(default_factory=dict)
    _assets: dict[str, Asset] = field(default_factory=dict)
    _gains: int = 0

    def take(self, entries: Iterable[Entry], gains: Iterable[Gain]) -> None:
        for entry in entries:
            asset = entry.amount.asset
            self._assets[asset.code] = asset
            for account, is_debit in ((entry.debit, True), (entry.credit, False)):
                line = self._lines.setdefault((account, asset.code), AccountValue())
                line.add(is_debit=is_debit, carried=entry.carried)
        for gain in gains:
            self._lines[gain.account, gain.asset].adjust(gain.units)
            self._gains += gain.units

    def opening(self, at: datetime) -> Opening:
        """As of a moment, by account and asset."""
        values: dict[str, int] = {}
        for (account, _), line in sorted(self._lines.items()):
            values[account] = values.get(account, 0) + line.value
        if self._gains:
            values[REALISED_GAINS] = -self._gains
        told = tuple((account, value) for account, value in values.items() if value)
        return Opening(at, tuple(self._entries(at)), told)

    def _entries(self, at: datetime) -> Iterator[Entry]:
        number = 0
        for (account, code), line in sorted(self._lines.items()):
            units = line.debit_units - line.credit_units
            if not units:
                continue
            number += 1
            yield Entry(
                position=0,
                line=number,
                at=at,
                recorded_at=at,
                type=OPENING_TYPE,
                stream_id=OPENING_BALANCES,
                debit=account if units > 0 else OPENING_BALANCES,
                credit=OPENING_BALANCES if units > 0 else account,
                amount=Amount(self._assets[code], abs(units)),
                carried=Carried(tuple(_parts(line, units)), is_new=True),
                priced=None,
            )


def _parts(line: AccountValue, units: int) -> Iterator[Part]:
    """So many of the units have a value together; the others have none."""
    sign = 1 if units > 0 else -1
    unvalued = min(abs(units), max(0, sign * line.unvalued_units))
    value = sign * line.value
    if value < 0:  # what came is gone, at a better price: the units that are left are worth nothing
        value = 0
    if unvalued < abs(units):
        yield Part(abs(units) - unvalued, value)
    if unvalued:
        yield Part(unvalued, None)
