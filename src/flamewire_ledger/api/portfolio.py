"""The portfolio: what the books say is in a merchant's wallets on every network, and what it is worth.

Holdings of now are valued at the prices of now, and those of a moment that has been at what was
recorded then. Only assets of the configured networks are priced: what a token of anybody's calls
itself is not what it is worth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from flamewire_ledger.api import problems
from flamewire_ledger.api.books import moment
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import asset_id_of
from flamewire_ledger.api.models.portfolio import GetPortfolio
from flamewire_ledger.api.past_prices import PastPrice, moment_of, past_prices
from flamewire_ledger.api.prices import plain, priced_asset
from flamewire_ledger.api.pricing import Priced, Till
from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, signed, time, to_json
from flamewire_ledger.domain.money import Amount, Asset, MoneyError
from flamewire_ledger.domain.rejection import LimitReached, NotFound, PriceUnavailable

Worth = Priced | PastPrice | str  # a price, or why there is none


async def get(call: Call) -> Answer:
    query: GetPortfolio = call.query
    try:
        currency = priced_asset(call, query.valuation)
    except NotFound as error:
        raise problems.wrong_parameter("valuation", error.detail) from None
    listed = [token.asset for chain in call.chains for token in chain.network.tokens]
    position = await moment(call)
    listing = await call.parts.reads.holdings(
        call.merchant_id, [asset.code for asset in listed], query.limit, as_of=position
    )
    held = {row["asset"] for row in listing.rows}
    priced = [asset for asset in listed if asset.code in held]
    prices: Mapping[str, Worth]
    if position is None:
        at = call.now()
        prices = await _prices(call.till(at), priced, currency)
    else:
        at = await moment_of(call, query.as_of or "", position)
        prices = await past_prices(call, priced, currency, at)
    holdings = [_holding(call, row, prices, currency) for row in listing.rows]
    values = [int(it["value_minor"]) for it in holdings if it["value_minor"] is not None]
    return Answer(
        to_json(
            {
                "object": "portfolio",
                "valuation": currency.symbol,
                "holdings": holdings,
                **signed("total", currency, sum(values)),
                "is_partial": listing.has_more or len(values) < len(holdings),
                "has_more": listing.has_more,
                "valued_at": time(at),
                "as_of": position,
            }
        )
    )


async def _prices(till: Till, assets: list[Asset], currency: Asset) -> Mapping[str, Worth]:
    """By asset code. All are asked for together: the sources are asked once for all of them."""
    found = await asyncio.gather(*(_price(till, asset, currency) for asset in assets))
    return {asset.code: price for asset, price in zip(assets, found, strict=True)}


async def _price(till: Till, asset: Asset, currency: Asset) -> Worth:
    try:
        return await till.market(asset, currency)
    except (PriceUnavailable, LimitReached) as error:
        return error.detail


def _holding(call: Call, row: Row, prices: Mapping[str, Worth], currency: Asset) -> dict[str, Any]:
    asset, units = Asset(row["asset"], row["decimals"]), int(row["units"])
    unapplied, suspense = int(row["unapplied_units"]), int(row["suspense_units"])
    refunds = int(row["refund_units"])
    worth = prices.get(asset.code, "it is of no network that is set up here: nobody prices it")
    value = _value(asset, units, worth)
    if isinstance(value, str):
        worth = value
    return {
        "network": row["network"],
        "chain_id": _chain_id(call, row["network"]),
        "asset": asset.symbol,
        "asset_code": asset.code,
        "asset_id": asset_id_of(call.chains, asset.code),
        **signed("balance", asset, units),
        **signed("settled", asset, units - unapplied - suspense - refunds),
        **signed("unapplied", asset, unapplied),
        **signed("suspense", asset, suspense),
        **signed("refunds_payable", asset, refunds),
        "price": None if isinstance(worth, str) else _shown(worth),
        **(money("value", None) if isinstance(value, str) else signed("value", currency, value)),
        "reason": worth if isinstance(worth, str) else None,
    }


def _value(asset: Asset, units: int, worth: Worth) -> int | str:
    """In base units of the currency, or why there is none."""
    if isinstance(worth, str):
        return worth
    try:
        value = worth.rate.quote_for(Amount(asset, abs(units))).units
    except MoneyError:
        return "it would be worth more than can be counted"
    return value if units >= 0 else -value


def _shown(priced: Priced | PastPrice) -> dict[str, Any]:
    if isinstance(priced, PastPrice):
        is_stale, sources = False, list(priced.sources)
    else:
        is_stale = priced.is_stale
        sources = [quote.source for quote in priced.quotes if quote.dropped is None]
    return {
        "price": plain(priced.rate.price),
        "at": time(priced.at),
        "is_stale": is_stale,
        "sources": sources,
    }


def _chain_id(call: Call, name: str) -> str | None:
    return next(
        (it.network.chain_id for it in call.chains if it.network.name == name),
        None,
    )
