"""Prices as they are now, and locked: a promise of one for 900 seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import asset_id_of, find_chain, find_currency, tokens_named
from flamewire_ledger.api.models.prices import CreatePriceLock
from flamewire_ledger.api.reading import Row, find
from flamewire_ledger.api.rendering import time, to_json
from flamewire_ledger.chains.chain import Chain, Token
from flamewire_ledger.commands import price_lock as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.price_lock import LockPrice, PriceLock, Pricing, Quote
from flamewire_ledger.domain.rejection import NotFound, UnknownAsset

READ_MODEL: Final = "price_locks"


async def lock(call: Call) -> Envelope:
    body: CreatePriceLock = call.body
    chain = None if body.network is None else find_chain(call.chains, body.network, "/network")
    base = _meant(call, body.base, "/base", chain)
    quote = _meant(call, body.quote, "/quote", chain)
    if base.network is None:
        raise UnknownAsset("payments are made in what lives on a chain", pointer="/base")
    if base.symbol == quote.symbol:
        raise UnknownAsset("this is the same thing twice: it needs no lock", pointer="/quote")
    now = call.now()
    priced = await call.till(now).rate(base, quote)
    command = LockPrice(
        lock_id=derived_id("pl", now, str(call.command_id)),
        rate=priced.rate,
        quotes=priced.quotes,
        pricing=priced.pricing,
        locked_at=now,
        expires_at=now + timedelta(seconds=call.parts.offer.price_lock_seconds),
    )
    return commands.envelope(
        call.origin,
        command,
        lambda it: to_json(of_state(it.after[command.lock_id], call.chains)),
    )


def _meant(call: Call, name: str, pointer: str, chain: Chain | None) -> Asset:
    """What has this name. Of one that several networks have: that on `chain`, else the first, since
    the price is the same and the answer says whose lock it is.
    """
    named = [token.asset for token in _tokens(call, name)]
    there = [it for it in named if chain is not None and it.network == chain.network.name]
    return (there or named or [find_currency(call.chains, name, pointer)])[0]


def _tokens(call: Call, name: str) -> list[Token]:
    tokens = (token for chain in call.chains for token in chain.network.tokens)
    return tokens_named(tokens, name)


async def get_lock(call: Call) -> Answer:
    lock_id = call.path["id"]
    row = await find(
        call,
        "price lock",
        READ_MODEL,
        lambda: call.parts.reads.price_lock(call.merchant_id, lock_id),
    )
    return Answer(to_json(of_row(row, call.chains, call.now())))


def of_state(lock: PriceLock, chains: Sequence[Chain]) -> dict[str, Any]:
    """The lock right after it was made."""
    locked = lock.locked
    return {
        "id": locked.lock_id,
        "object": "price_lock",
        "status": "locked" if lock.used_by is None else "used",
        "base": locked.rate.base.symbol,
        "base_asset_id": asset_id_of(chains, locked.rate.base.code),
        "quote": locked.rate.quote.symbol,
        "price": plain(locked.rate.price),
        "quotes": [_quote(quote) for quote in locked.quotes],
        "pricing": _pricing(locked.pricing),
        "payment_intent_id": lock.used_by,
        "created_at": time(locked.locked_at),
        "expires_at": time(locked.expires_at),
    }


def of_row(row: Row, chains: Sequence[Chain], now: datetime) -> dict[str, Any]:
    """The lock as the read model has it; its time may be up before a fact says so."""
    is_over = row["status"] == "locked" and row["expires_at"] <= now
    base = Asset(row["base"], row["base_decimals"])
    return {
        "id": row["lock_id"],
        "object": "price_lock",
        "status": "expired" if is_over else row["status"],
        "base": base.symbol,
        "base_asset_id": asset_id_of(chains, base.code),
        "quote": Asset(row["quote"], row["quote_decimals"]).symbol,
        "price": plain(row["price"]),
        "quotes": [_quote_of_row(quote) for quote in row["quotes"]],
        "pricing": _pricing_of_row(row["pricing"]),
        "payment_intent_id": row["payment_id"],
        "created_at": time(row["locked_at"]),
        "expires_at": time(row["expires_at"]),
        "position": row["position"],
    }


def plain(price: Decimal) -> str:
    """Without exponent, and without zeros nobody said."""
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "source": quote.source,
        "price": None if quote.price is None else plain(quote.price),
        "said": quote.said,
        "quoted_at": time(quote.quoted_at),
        "dropped": quote.dropped,
    }


def _pricing(pricing: Pricing | None) -> dict[str, Any] | None:
    if pricing is None:
        return None
    return {
        "market_price": plain(pricing.market),
        "quoted_at": time(pricing.quoted_at),
        "is_stale": pricing.is_stale,
        "rule": pricing.rule,
        "sources": list(pricing.sources),
        "spread_ppm": pricing.spread_ppm,
        "discount_ppm": pricing.discount_ppm,
        "digits": pricing.digits,
        "rounding": pricing.rounding,
    }


def _pricing_of_row(pricing: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if pricing is None:
        return None
    market, at = Decimal(pricing["market"]), datetime.fromisoformat(pricing["quoted_at"])
    return _pricing(Pricing(**{**pricing, "market": market, "quoted_at": at}))


def _quote_of_row(quote: Mapping[str, Any]) -> dict[str, Any]:
    return _quote(
        Quote(
            source=quote["source"],
            price=None if quote["price"] is None else Decimal(quote["price"]),
            quoted_at=datetime.fromisoformat(quote["quoted_at"]),
            dropped=quote["dropped"],
            said=quote.get("said"),
        )
    )


async def get_price(call: Call) -> Answer:
    base, quote = priced_pair(call)
    priced = await call.till(call.now()).rate(base, quote)
    return Answer(
        to_json(
            {
                "object": "price",
                "base": base.symbol,
                "quote": quote.symbol,
                "price": plain(priced.rate.price),
                "market_price": plain(priced.pricing.market),
                "rule": priced.pricing.rule,
                "is_stale": priced.is_stale,
                "quotes": [_quote(quote) for quote in priced.quotes],
                "at": time(priced.at),
            }
        )
    )


def priced_pair(call: Call) -> tuple[Asset, Asset]:
    """What the path names. Symbols do: one price is that of a symbol, wherever it lives."""
    return priced_asset(call, call.path["base"]), priced_asset(call, call.path["quote"])


def priced_asset(call: Call, name: str) -> Asset:
    """What has this symbol or name; NotFound when nothing has."""
    for token in _tokens(call, name):
        return token.asset
    try:
        return find_currency(call.chains, name, "")
    except UnknownAsset as error:
        raise NotFound(error.detail) from None
