"""Where the price of one thing stands after each round of asking: what is believed, and what is not yet.

A pure rule over the last standing and the newest quotes, so that several processes that share the
standing come to the same price, whichever of them asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.median import Verdict


@dataclass(frozen=True, slots=True)
class Patience:
    """How often feeds are asked, and how long their last answer will do."""

    refresh_seconds: int = 30
    refresh_seconds_max: int = 60  # from then on a caller waits for the answer
    retry_seconds: int = 5  # after a round that gave no price
    feed_seconds_max: float = 3.0
    feed_backoff_seconds: int = 5
    feed_backoff_seconds_max: int = 300
    last_good_seconds_max: int = 600
    jump_ppm_a_minute_max: int = 100_000  # 10 %: more than that needs two rounds in a row

    def __post_init__(self) -> None:
        if not 0 < self.refresh_seconds <= self.refresh_seconds_max < self.last_good_seconds_max:
            raise ValueError("a price is refreshed before it is too old to be served")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a major unit. `is_stale`: the sources could not be trusted since."""

    symbol: str
    dollars: Decimal
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing's. `unproved` is a jump that waits for its second round."""

    symbol: str
    asked_at: datetime
    quotes: tuple[Quote, ...]  # of the last round, whether or not they gave a price
    price: Price | None = None
    unproved: Decimal | None = None

    @property
    def is_good(self) -> bool:
        return self.price is not None and not self.price.is_stale


def after_round(
    before: Standing | None, symbol: str, verdict: Verdict, now: datetime, patience: Patience
) -> Standing:
    """Where the price stands when the feeds have said this."""
    price = None if before is None else before.price
    if verdict.price is None:
        unproved = None
        price = None if price is None else replace(price, is_stale=True)
    elif price is None or not _is_jump(
        price.dollars, verdict.price, _minutes(price, now), patience
    ):
        unproved = None
        price = Price(symbol, verdict.price, verdict.quotes, now)
    else:
        # A jump has to be said twice in a row, by all: one that is disputed is no market's move.
        first = None if before is None else before.unproved
        unproved = None if verdict.is_disputed else verdict.price
        is_proved = unproved is not None and first is not None
        if is_proved and first is not None and not _is_jump(first, verdict.price, 1, patience):
            price, unproved = Price(symbol, verdict.price, verdict.quotes, now), None
        else:
            price = replace(price, is_stale=True)
    return Standing(symbol, now, verdict.quotes, price, unproved)


def _minutes(price: Price, now: datetime) -> int:
    """The more time passed, the larger a jump has to be."""
    return max(1, -(-int((now - price.at).total_seconds()) // 60))


def _is_jump(before: Decimal, after: Decimal, minutes: int, patience: Patience) -> bool:
    return abs(after - before) * 1_000_000 > before * patience.jump_ppm_a_minute_max * minutes
