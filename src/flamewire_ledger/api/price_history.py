"""Prices as they were, and what was odd about them: samples and alerts of the log, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import USD
from flamewire_ledger.api.fields import POSITION_MAX
from flamewire_ledger.api.models.prices import ListPriceAlerts, ListPrices
from flamewire_ledger.api.prices import plain, priced_pair
from flamewire_ledger.api.reading import Row, caught_up
from flamewire_ledger.api.rendering import as_list, time
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.price import price_id

READ_MODEL: Final = "price_history"
_ROUNDED: Final = Context(prec=18, rounding=ROUND_HALF_EVEN)


async def get_history(call: Call) -> Answer:
    """Of two things that are no dollars, each sample of the base at the other's price of that time."""
    query: ListPrices = call.query
    base, quote = priced_pair(call)
    await caught_up(call, READ_MODEL)
    rows = await _past(call, base, USD if quote == CREDIT else quote)
    data = [_sample(call, row, quote) for row in rows[: query.limit]]
    has_more = len(rows) > query.limit
    return Answer(as_list(data, has_more=has_more, base=base.symbol, quote=quote.symbol))


async def _past(call: Call, base: Asset, quote: Asset) -> Sequence[Row]:
    """One row more than asked for says whether there is another page."""
    query: ListPrices = call.query
    window = {"before": query.before, "since": query.since, "limit": query.limit + 1}
    quote_id = None if quote == USD else _price_id(call, quote)
    if base.symbol == quote.symbol:
        return ()
    if base == USD:
        return await call.parts.reads.ask(
            READ_MODEL, "quote_history", {"quote_id": quote_id, **window}
        )
    ids = {"base_id": _price_id(call, base), "quote_id": quote_id}
    return await call.parts.reads.ask(READ_MODEL, "price_history", {**ids, **window})


def _sample(call: Call, row: Row, quote: Asset) -> dict[str, Any]:
    dividend, divisor = Decimal(row.get("dollars", 1)), row.get("quote_dollars")
    price = dividend if divisor is None else _ROUNDED.divide(dividend, Decimal(divisor))
    if quote == CREDIT:  # a credit costs a fixed number of dollars
        price = call.till(call.now()).in_credits(price)
    return {"price": plain(price), "source": row["source"], "at": time(row["at"])}


async def list_alerts(call: Call) -> Answer:
    """About the prices that the caller's networks are paid at."""
    query: ListPriceAlerts = call.query
    before = _cursor(query.starting_after)
    symbols = {token.asset.symbol for chain in call.chains for token in chain.network.tokens}
    await caught_up(call, READ_MODEL)
    rows = await call.parts.reads.ask(
        READ_MODEL,
        "price_alerts",
        {
            "price_ids": [_id_of(call, symbol) for symbol in sorted(symbols)],
            "before_position": before,
            "limit": query.limit + 1,
        },
    )
    data = [_alert(row) for row in rows[: query.limit]]
    return Answer(as_list(data, has_more=len(rows) > query.limit))


def _alert(row: Row) -> dict[str, Any]:
    facts: Mapping[str, Any] = row["facts"]
    return {
        "id": str(row["position"]),
        "object": "price_alert",
        "type": row["type"],
        "symbol": row["symbol"],
        "facts": {key: value for key, value in facts.items() if key not in ("price_id", "symbol")},
        "at": time(row["at"]),
    }


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= POSITION_MAX):
        raise problems.wrong_parameter("starting_after", "it is the id of an alert: its position")
    return int(text)


def _price_id(call: Call, asset: Asset) -> str:
    return _id_of(call, asset.symbol)


def _id_of(call: Call, symbol: str) -> str:
    return price_id(symbol, livemode=call.caller.livemode)
