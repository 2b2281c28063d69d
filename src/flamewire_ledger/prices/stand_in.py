"""A stand-in for all five price sources, with their exact shapes and their ways of failing.

It plays the market for a sandbox (`flamewire prices stand-in`) and for tests: nobody outside is
asked, and every fault that a real source ever has can be had at will.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

Name: TypeAlias = Literal["kraken", "coinbase", "cryptocompare", "coingecko", "binance"]
NAMES: Final[tuple[Name, ...]] = ("kraken", "coinbase", "cryptocompare", "coingecko", "binance")
Fault: TypeAlias = Literal[
    "down", "slow", "wrong shape", "stale", "error in a 200", "tenfold", "raised", "zero", "nan",
    "words", "huge",
]  # fmt: skip
FAULTS: Final[tuple[Fault, ...]] = (
    "down", "slow", "wrong shape", "stale", "error in a 200", "tenfold", "raised", "zero", "nan",
    "words", "huge",
)  # fmt: skip
PRICES: Final[Mapping[str, Decimal]] = {
    "TAO": Decimal("412.5"),
    "ETH": Decimal("3200"),
    "SUI": Decimal("3.2"),
    "USDC": Decimal("1"),
    "USDT": Decimal("0.9998"),
    "BTC": Decimal("97000"),
    "EUR": Decimal("1.08"),
    "GBP": Decimal("1.27"),
    "CHF": Decimal("1.12"),
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
    "bitcoin": "BTC",
}
_ERRORS_IN_200: Final[Mapping[Name, object]] = {
    "kraken": {"error": ["EGeneral:Internal error"]},
    "coinbase": {"errors": [{"id": "internal_error", "message": "try again"}]},
    "cryptocompare": {"Response": "Error", "Message": "You are over your rate limit", "Type": 99},
    "coingecko": {"status": {"error_code": 429, "error_message": "slow down"}},
    "binance": {"code": -1003, "msg": "Too many requests"},
}
Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
_FIAT_PAIRS: Final = ("GBPUSDT", "CHFUSDT")  # of currencies it trades the euro only
_DAYS_DIGITS_MAX: Final = 4
_POLL_SECONDS: Final = 0.05


@dataclass
class StandIn:
    """What the five say. `faults` may change at any time."""

    now: Callable[[], datetime]
    prices: dict[str, Decimal] = field(default_factory=lambda: dict(PRICES))
    faults: dict[Name, Fault] = field(default_factory=dict)
    slow_seconds: float = 10
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

    def told(self, name: str, fault: str) -> Answer:
        """A source fails from now on, or is mended by `none`."""
        source = next((it for it in NAMES if it == name), None)
        wanted = next((it for it in FAULTS if it == fault), None)
        if source is None or (wanted is None and fault != "none"):
            return _json({"sources": NAMES, "faults": [*FAULTS, "none"]}, 404)
        self.faults.pop(source, None)
        if wanted is not None:
            self.faults[source] = wanted
        return _json(self.faults)

    def said(self, name: Name, symbol: str) -> str:
        """The price as this source writes it, or what it writes instead."""
        match self.faults.get(name):
            case "zero":
                return "0"
            case "nan":
                return "NaN"
            case "words":
                return "four hundred"
            case "huge":
                return "1e999999"
            case "tenfold":
                factor = Decimal(10)
            case "raised":
                factor = Decimal("1.09")
            case _:
                factor = Decimal(1)
        price = self.prices[symbol] * (1_000_000 + _OFF[name]) / 1_000_000 * factor
        if name == "binance":
            price /= self.prices["USDT"]
        return f"{price:.12f}"


def _json(value: object, status: int = 200) -> Answer:
    return status, {}, json.dumps(value).encode()


def _kraken(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    symbol = query.get("pair", "").removesuffix("USD")
    if symbol not in it.prices:
        return _json({"error": ["EQuery:Unknown asset pair"]})
    said = it.said("kraken", symbol)
    ticker = {"a": [said, "1", "1.000"], "b": [said, "1", "1.000"], "c": [said, "0.007"]}
    return _json({"error": [], "result": {f"X{symbol}ZUSD": ticker}})


def _coinbase(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    symbol = path.removeprefix("/v2/prices/").removesuffix("-USD/spot")
    if symbol not in it.prices:
        return _json({"errors": [{"id": "not_found", "message": "Invalid base currency"}]}, 404)
    return _json({"data": {"amount": it.said("coinbase", symbol), "currency": "USD"}})


def _cryptocompare(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    if query.get("fsym", "") not in it.prices:
        return _json({"Response": "Error", "Message": "market does not exist", "Type": 2})
    said = it.said("cryptocompare", query.get("fsym", ""))
    return 200, {}, f'{{"USD":{_number(said)}}}'.encode()


def _coingecko(it: StandIn, path: str, query: Mapping[str, str]) -> Answer:
    if path.endswith("/market_chart"):
        symbol, days = _COINGECKO.get(path.split("/")[-2]), query.get("days", "")
        if symbol is None or not days.isdigit() or len(days) > _DAYS_DIGITS_MAX:
            return _json({"error": "coin not found"}, 404)
        return _market_chart(it, symbol, int(days))
    age = 600 if it.faults.get("coingecko") == "stale" else 15
    at = int((it.now() - timedelta(seconds=age)).timestamp())
    others = [name for name in query.get("vs_currencies", "").upper().split(",") if name != "USD"]
    coins = ", ".join(
        f'"{coin}": {{{_in_currencies(it, _COINGECKO[coin], others)}"last_updated_at": {at}}}'
        for coin in query.get("ids", "").split(",")
        if _COINGECKO.get(coin) in it.prices
    )
    return 200, {}, f"{{{coins}}}".encode()


def _in_currencies(it: StandIn, symbol: str, others: Sequence[str]) -> str:
    """A coin in dollars, and in whatever else was asked for that has a price."""
    dollars = it.said("coingecko", symbol)
    named = {"usd": dollars}
    for other in (other for other in others if other in it.prices):
        worth = it.said("coingecko", other)
        is_number = "." in dollars
        named[other.lower()] = f"{Decimal(dollars) / Decimal(worth):.18f}" if is_number else dollars
    return "".join(f'"{name}": {_number(said)}, ' for name, said in named.items())


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
    wanted = json.loads(query["symbols"]) if "symbols" in query else [query.get("symbol", "")]
    if any(pair.removesuffix("USDT") not in it.prices or pair in _FIAT_PAIRS for pair in wanted):
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
def serving(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """The same over loopback; the address that the sources' names are put behind.

    `GET /faults/kraken/down` makes a source fail from then on, `/faults/kraken/none` mends it.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(stand_in))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            first, _, rest = parts.path.lstrip("/").partition("/")
            if first == "faults":
                name, _, wanted = rest.partition("/")
                self._send(*stand_in.told(name, wanted.replace("%20", " ").replace("-", " ")))
                return
            source = next((it for it in NAMES if it == first), None)
            if source is None:
                self._send(*_json({"error": f"there is no source {first}"}, 404))
                return
            fault = stand_in.faults.get(source)
            if fault == "down":
                self.close_connection = True
                return
            if fault == "slow":
                time.sleep(stand_in.slow_seconds)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            self._send(*stand_in.answer(source, f"/{rest}", query))

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    return Handler
