"""The journal as reports and exports have it: postings with their values, and the moment they are seen at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from flamewire_ledger.billing.carrying import Carried
from flamewire_ledger.billing.valuation import Priced
from flamewire_ledger.domain.money import Amount, Asset

# Credits have no value of their own: what was paid for them stands among liabilities, as it was paid.
CREDITS: Final = "CREDIT"


@dataclass(frozen=True, slots=True)
class Moment:
    """Whose books, up to where, and in which currency they are valued."""

    merchant_id: str
    livemode: bool
    position: int
    recorded_at: datetime  # of the event at the position: prices recorded later are not known
    currency: Asset
    listed: Collection[str]  # codes of what has a price: a token may call itself anything


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting. `carried` has its value, and how much of it has none."""

    position: int
    line: int
    at: datetime  # by the clock its merchant lives by
    recorded_at: datetime
    type: str  # of the event
    stream_id: str
    debit: str
    credit: str
    amount: Amount
    carried: Carried
    priced: Priced | None  # for money that is new to its stream: where the value comes from
    lots: tuple[str, ...] = ()  # that a disposal named, to be taken from

    @property
    def id(self) -> str:
        return f"{self.position}-{self.line}"

    @property
    def value(self) -> int | None:
        """In base units of the currency; None where a part of the amount is unvalued."""
        return None if self.carried.unvalued_units else self.carried.value

    @property
    def price(self) -> Fraction | None:
        """Of a major unit in major units, where one was recorded for this posting."""
        return None if self.priced is None else self.priced.price
