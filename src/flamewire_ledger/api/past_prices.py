"""Prices as they were recorded, for who asks what something was worth at a moment that has been.

No feed is asked. Where nothing had been recorded there is no price: that of now is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.currencies import USD
from flamewire_ledger.api.fields import is_time, parse_time
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Asset, MoneyError, Rate
from flamewire_ledger.domain.price import owner_id, price_id
from flamewire_ledger.queries.journal import recorded_at
from flamewire_ledger.store.event_store import partition_of

READ_MODEL: Final = "price_history"
AGE_MAX: Final = timedelta(days=1)  # a sample that is older says nothing of the moment
_ROUNDED: Final = Context(prec=18, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class PastPrice:
    """What one of an asset was worth, when that was said, and by whom."""

    rate: Rate
    at: datetime
    sources: tuple[str, ...]


async def moment_of(call: Call, as_of: str, position: int) -> datetime:
    """The time that `as_of` means: the time it says, or when the event at the position was recorded."""
    if is_time(as_of):
        return parse_time(as_of)
    at = await recorded_at(call.parts.store, call.partition, position)
    assert at is not None, "as_of is refused before the first event"
    return at


async def past_prices(
    call: Call, assets: Sequence[Asset], currency: Asset, then: datetime
) -> Mapping[str, PastPrice | str]:
    """By asset code: the price that was known then, one that was filled in later where none was, or
    why there is none.

    In the sandbox, whose clock is turned while events are recorded by the real one, it is the last
    that was recorded, whatever its own time.
    """
    await _reached(call)
    counter = USD if currency == CREDIT else currency
    symbols = {asset.symbol for asset in assets} | {counter.symbol}
    ids = {price_id(it, livemode=call.caller.livemode): it for it in symbols - {USD.symbol}}
    rows = await call.parts.reads.ask(
        READ_MODEL,
        "prices_then",
        {
            "price_ids": sorted(ids),
            "then": then,
            "since": then - AGE_MAX if call.caller.livemode else None,
        },
    )
    known = {ids[row["price_id"]]: (row["dollars"], row["at"], row["source"]) for row in rows}
    known[USD.symbol] = (Decimal(1), then, "face")
    return {asset.code: _price(call, asset, currency, known, then) for asset in assets}


_Samples = Mapping[str, tuple[Decimal, datetime, str]]


def _price(
    call: Call, asset: Asset, currency: Asset, known: _Samples, then: datetime
) -> PastPrice | str:
    counter = USD if currency == CREDIT else currency
    if asset.symbol == counter.symbol:
        return PastPrice(Rate(asset, currency, Decimal(1)), then, ("face",))
    for symbol in (asset.symbol, counter.symbol):
        if symbol not in known:
            return f"no price of {symbol} was recorded at that time"
    dollars, at, source = known[asset.symbol]
    counter_dollars, counter_at, counter_source = known[counter.symbol]
    price = dollars if counter == USD else _ROUNDED.divide(dollars, counter_dollars)
    if currency == CREDIT:
        price = call.till(call.now()).in_credits(price)
    said = {source} if counter == USD else {source, counter_source}
    try:
        rate = Rate(asset, currency, price)
    except MoneyError as error:
        return str(error)
    return PastPrice(rate, min(at, counter_at), tuple(sorted(said)))


async def _reached(call: Call) -> None:
    """Prices are in streams of the ledger's own, which may be in another partition."""
    store = call.parts.store
    partition = partition_of(owner_id(livemode=call.caller.livemode), store.partitions)
    head = await store.head(partition)
    seconds = call.parts.limits.wait_seconds_max
    if not await call.parts.reads.wait_for(partition, head, (READ_MODEL,), seconds):
        raise problems.projection_behind(head)
