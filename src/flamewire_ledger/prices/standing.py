"""Where the price of one thing stands after each round of asking: what is believed, and what is not yet.

A pure rule over the last standing and the newest quotes, so that several processes that share the
standing come to the same price, whichever of them asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
    doubted_ppm_a_minute_max: int = 10_000  # 1 %: more of it, while somebody says it did not jump

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
    elif before is None or price is None or not _is_jump(before, price, verdict, now, patience):
        unproved = None
        price = Price(symbol, verdict.price, verdict.quotes, now)
    else:
        # A jump has to be said twice in a row, and nobody may say that there was none.
        is_doubted = _is_doubted(price.dollars, verdict.price, verdict.outvoted)
        first, unproved = before.unproved, None if is_doubted else verdict.price
        a_minute = patience.jump_ppm_a_minute_max
        if unproved is not None and first is not None and _is_near(first, unproved, a_minute):
            price, unproved = Price(symbol, verdict.price, verdict.quotes, now), None
        else:
            price = replace(price, is_stale=True)
    return Standing(symbol, now, verdict.quotes, price, unproved)


def _is_jump(
    before: Standing, price: Price, verdict: Verdict, now: datetime, patience: Patience
) -> bool:
    """The more time passed, the larger a jump has to be. Where somebody still says what the price was
    before, it takes much more time: sources may lie together, and the one that is outvoted be right.
    After a while in which nobody asked, that says nothing any more.
    """
    assert verdict.price is not None, "there is a price to compare"
    minutes = max(1, -(-int((now - price.at).total_seconds()) // 60))
    allowed = patience.jump_ppm_a_minute_max * minutes
    was_asked = now - before.asked_at <= timedelta(seconds=patience.last_good_seconds_max)
    if was_asked and _is_doubted(price.dollars, verdict.price, verdict.outvoted):
        allowed = patience.jump_ppm_a_minute_max + patience.doubted_ppm_a_minute_max * minutes
    return not _is_near(price.dollars, verdict.price, allowed)


def _is_doubted(before: Decimal, after: Decimal, outvoted: Sequence[Decimal]) -> bool:
    """Whether somebody who was outvoted stays nearer to what it was."""
    return any(abs(said - before) < abs(after - before) for said in outvoted)


def _is_near(before: Decimal, after: Decimal, allowed_ppm: int) -> bool:
    return abs(after - before) * 1_000_000 <= before * allowed_ppm
