"""A stand-in for all five price sources, with their exact shapes and their ways of failing.

In memory it is an httpx transport a source; `flamewire`'s own processes ask the same over loopback
(`StandInServer`, whose addresses begin with the name of the source).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx

from flamewire_ledger.prices.binance import BinanceFeed
from flamewire_ledger.prices.coinbase import CoinbaseFeed
from flamewire_ledger.prices.coingecko import CoinGeckoFeed
from flamewire_ledger.prices.cryptocompare import CryptoCompareFeed
from flamewire_ledger.prices.kraken import KrakenFeed

Name: TypeAlias = Literal["kraken", "coinbase", "cryptocompare", "coingecko", "binance"]
NAMES: Final[tuple[Name, ...]] = ("kraken", "coinbase", "cryptocompare", "coingecko", "binance")
Fault: TypeAlias = Literal[
    "down", "slow", "wrong shape", "stale", "error in a 200", "tenfold", "zero", "nan", "words"
]
FAULTS: Final[tuple[Fault, ...]] = (
    "down", "slow", "wrong shape", "stale", "error in a 200", "tenfold", "zero", "nan", "words",
)  # fmt: skip
PRICES: Final[Mapping[str, Decimal]] = {
    "TAO": Decimal("412.5"),
    "ETH": Decimal("3200"),
    "SUI": Decimal("3.2"),
    "USDC": Decimal("1"),
    "USDT": Decimal("0.9998"),
    "EUR": Decimal("1.08"),
}
# How far from the others each source is, in parts per million: they never say the same.
_OFF: Final[Mapping[Name, int]] = {
    "kraken": 0, "coinbase": 400, "cryptocompare": -700, "coingecko": 300, "binance": -200,
}  # fmt: skip
_COINGECKO: Final = {
    "bittensor": "TAO",
    "ethereum": "ETH",
    "sui": "SUI",
    "usd-coin": "USDC",
    "tether": "USDT",
}
_ERRORS_IN_200: Final[Mapping[Name, object]] = {
    "kraken": {"error": ["EGeneral:Internal error"]},
    "coinbase": {"errors": [{"id": "internal_error", "message": "try again"}]},
    "cryptocompare": {"Response": "Error", "Message": "You are over your rate limit", "Type": 99},
    "coingecko": {"status": {"error_code": 429, "error_message": "slow down"}},
    "binance": {"code": -1003, "msg": "Too many requests"},
}
Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]


@dataclass
class StandIn:
    """What the five say. `faults` may change at any time."""

    now: Callable[[], datetime]
    prices: dict[str, Decimal] = field(default_factory=lambda: dict(PRICES))
    faults: dict[Name, Fault] = field(default_factory=dict)
    slow_seconds: float = 0  # in memory it is given up at once
    asked: list[tuple[Name, str]] = field(default_factory=list)

    def answer(self, name: Name, path: str, query: Mapping[str, str]) -> Answer:
        """What this source answers; a fault that is no answer is the caller's to play."""
        self.asked.append((name, path))
        fault = self.faults.get(name)
        if fault == "wrong shape":
            return _json({"unexpected": [{"shape": True}]})
        if fault == "error in a 200":
            return _json(_ERRORS_IN_200[name])
        status, headers, body = _SHAPES[name](self, path, query)
        return status, {**headers, **({"Age": "600"} if fault == "stale" else {})}, body

    def said(self, name: Name, symbol: str) -> object:
        """The price as this source writes it, or what it writes instead."""
        match self.faults.get(name):
            case "zero":
                return "0"
            case "nan":
                return "NaN"
            case "words":
                return "four hundred"
            case "tenfold":
                factor = 10
            case _:
                factor = 1
        price = self.prices[symbol] * (1_000_000 + _OFF[name]) / 1_000_000 * factor
        if name == "binance":
            price /= self.prices["USDT"]
        return f"{price:.12f}"

    def transport(self, name: Name) -> httpx.AsyncBaseTransport:
        async def handle(request: httpx.Request) -> httpx.Response:
            match self.faults.get(name):
                case "down":
                    raise httpx.ConnectError("connection refused")
                case "slow":
                    await asyncio.sleep(self.slow_seconds)
                    raise httpx.ReadTimeout("it took too long")
            query = dict(request.url.params)
            status, headers, body = self.answer(name, request.url.path, query)
            return httpx.Response(status, headers=dict(headers), content=body)

        return httpx.MockTransport(handle)

    def feeds(
        self,
    ) -> list[KrakenFeed | CoinbaseFeed | CryptoCompareFeed | CoinGeckoFeed | BinanceFeed]:
        """All five, as they are wired, over transports in memory."""
        return [
            KrakenFeed(self.now, transport=self.transport("kraken")),
            CoinbaseFeed(self.now, transport=self.transport("coinbase")),
            CryptoCompareFeed(self.now, transport=self.transport("cryptocompare")),
            CoinGeckoFeed(self.now, transport=self.transport("coingecko")),
            BinanceFeed(self.now, transport=self.transport("binance")),
        ]


def _json(value: object, status: int = 200) -> Answer:
    return status, {}, json.dumps(value).encode()


def _kraken(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    symbol = query["pair"].removesuffix("USD")
    if symbol not in it.prices:
        return _json({"error": ["EQuery:Unknown asset pair"]})
    said = it.said("kraken", symbol)
    ticker = {"a": [said, "1", "1.000"], "b": [said, "1", "1.000"], "c": [said, "0.007"]}
    return _json({"error": [], "result": {f"X{symbol}ZUSD": ticker}})


def _coinbase(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    symbol = path.split("/")[-2].removesuffix("-USD")
    if symbol not in it.prices:
        return _json({"errors": [{"id": "not_found", "message": "Invalid base currency"}]}, 404)
    return _json({"data": {"amount": it.said("coinbase", symbol), "currency": "USD"}})


def _cryptocompare(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    if query["fsym"] not in it.prices:
        return _json({"Response": "Error", "Message": "market does not exist", "Type": 2})
    said = str(it.said("cryptocompare", query["fsym"]))
    return 200, {}, f'{{"USD":{_number(said)}}}'.encode()


def _coingecko(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    if path.endswith("/market_chart"):
        return _market_chart(it, _COINGECKO[path.split("/")[-2]], int(query["days"]))
    age = 600 if it.faults.get("coingecko") == "stale" else 15
    at = int((it.now() - timedelta(seconds=age)).timestamp())
    coins = ", ".join(
        f'"{coin}": {{"usd": {_number(str(it.said("coingecko", _COINGECKO[coin])))}, '
        f'"last_updated_at": {at}}}'
        for coin in query["ids"].split(",")
        if _COINGECKO.get(coin) in it.prices
    )
    return 200, {}, f"{{{coins}}}".encode()


def _market_chart(it: StandIn, symbol: str, days: int) -> Answer:
    """A point an hour, the latest at the full hour; a ramp, so that each is another."""
    end = it.now().replace(minute=0, second=0, microsecond=0)
    hours = 24 * days
    points = ", ".join(
        f"[{int((end - timedelta(hours=hours - n)).timestamp() * 1000)}, {it.prices[symbol] + n}]"
        for n in range(hours + 1)
    )
    return 200, {}, f'{{"prices": [{points}], "market_caps": [], "total_volumes": []}}'.encode()


def _binance(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    wanted = json.loads(query["symbols"]) if "symbols" in query else [query["symbol"]]
    if any(pair.removesuffix("USDT") not in it.prices or pair == "EURUSDT" for pair in wanted):
        return _json({"code": -1121, "msg": "Invalid symbol."}, 400)
    found = [
        {"symbol": pair, "price": it.said("binance", pair.removesuffix("USDT"))} for pair in wanted
    ]
    return _json(found if "symbols" in query else found[0])


def _number(said: str) -> str:
    """As JSON: a number, or text where it is none."""
    return said if said[0].isdigit() else json.dumps(said)


_SHAPES: Final[Mapping[Name, Callable[[StandIn, str, Mapping[str, str]], Answer]]] = {
    "kraken": _kraken,
    "coinbase": _coinbase,
    "cryptocompare": _cryptocompare,
    "coingecko": _coingecko,
    "binance": _binance,
}


@contextmanager
def serving(stand_in: StandIn) -> Iterator[str]:
    """The same over loopback; the address that the sources' names are put behind."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            name, _, path = parts.path.lstrip("/").partition("/")
            source: Name = name  # type: ignore[assignment]
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            match stand_in.faults.get(source):
                case "down":
                    self.close_connection = True
                    return
                case "slow":
                    time.sleep(stand_in.slow_seconds)
            status, headers, body = stand_in.answer(source, f"/{path}", query)
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
