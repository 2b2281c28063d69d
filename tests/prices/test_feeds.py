"""Real sources, as a loopback stand-in speaks for them: their shapes, and their ways of failing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.domain.money import Asset
from flamewire_ledger.prices.binance import BinanceFeed
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.coinbase import CoinbaseFeed
from flamewire_ledger.prices.coingecko import CoinGeckoFeed
from flamewire_ledger.prices.cryptocompare import CryptoCompareFeed
from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.prices.kraken import KrakenFeed
from flamewire_ledger.prices.source import ANSWER_BYTES_MAX, price_in

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Answer = tuple[int, bytes | object]
Says = Callable[[str, dict[str, str]], Answer]


class StandIn:
    """Answers GETs as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.says: Says = lambda path, query: (500, b"")
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append((parts.path, query, headers))
                status, said = outer.says(parts.path, query)
                body = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.server.shutdown()
    made.server.server_close()


def always(status: int, said: object) -> Says:
    return lambda path, query: (status, said)


def kraken(path: str, query: dict[str, str]) -> Answer:
    if query["pair"] not in ("ETHUSD", "EURUSD"):
        return 200, {"error": ["EQuery:Unknown asset pair"]}
    ticker = {"a": ["3338.95", "1", "1.000"], "b": ["3338.0", "1", "1"], "c": ["3338.08", "0.007"]}
    return 200, {"error": [], "result": {"XETHZUSD": ticker}}


def coinbase(path: str, query: dict[str, str]) -> Answer:
    if path != "/v2/prices/ETH-USD/spot":
        return 404, {"errors": [{"id": "not_found", "message": "Invalid base currency"}]}
    return 200, {"data": {"amount": "1020.25", "currency": "USD"}}


def cryptocompare(path: str, query: dict[str, str]) -> Answer:
    if query["fsym"] != "ETH":
        return 200, {"Response": "Error", "Message": "market does not exist", "Type": 2}
    return 200, b'{"USD":268.35}'


async def test_kraken_answers_under_another_name_than_was_asked_for(stand_in: StandIn) -> None:
    stand_in.says = kraken
    found = await KrakenFeed(lambda: NOON, stand_in.url).quotes(["ETH", "NOPE"])
    assert {symbol: quote.price for symbol, quote in found.items()} == {"ETH": Decimal("3338.08")}
    assert found["ETH"].quoted_at == NOON


async def test_coinbase_gives_the_spot_price(stand_in: StandIn) -> None:
    stand_in.says = coinbase
    found = await CoinbaseFeed(lambda: NOON, stand_in.url).quotes(["ETH", "NOPE"])
    assert {symbol: quote.price for symbol, quote in found.items()} == {"ETH": Decimal("1020.25")}


async def test_cryptocompare_gives_a_number_that_stays_exact(stand_in: StandIn) -> None:
    stand_in.says = cryptocompare
    found = await CryptoCompareFeed(lambda: NOON, stand_in.url).quotes(["ETH", "NOPE"])
    assert {symbol: quote.price for symbol, quote in found.items()} == {"ETH": Decimal("268.35")}


async def test_coingecko_gives_many_in_one_request_each_with_its_time(stand_in: StandIn) -> None:
    stand_in.says = always(
        200, b'{"bittensor":{"usd":412.123456789012345678,"last_updated_at":1558704332}}'
    )
    feed = CoinGeckoFeed(lambda: NOON, f"{stand_in.url}/api/v3", pro_api_key="key of ours")
    found = await feed.quotes(["TAO", "ETH", "NOPE"])
    assert list(found) == ["TAO"]
    assert found["TAO"].price == Decimal("412.123456789012345678")
    assert found["TAO"].quoted_at == datetime.fromtimestamp(1558704332, UTC)
    ((path, query, headers),) = stand_in.asked
    assert path == "/api/v3/simple/price"
    assert query["ids"] == "bittensor,ethereum"
    assert headers["x-cg-pro-api-key"] == "key of ours"
    await feed.aclose()


AnyFeed = KrakenFeed | CoinbaseFeed | CoinGeckoFeed | CryptoCompareFeed | BinanceFeed
FEEDS: list[Callable[[str], AnyFeed]] = [
    lambda url: KrakenFeed(lambda: NOON, url),
    lambda url: CoinbaseFeed(lambda: NOON, url),
    lambda url: CryptoCompareFeed(lambda: NOON, url),
    lambda url: CoinGeckoFeed(lambda: NOON, url, pro_api_key="key of ours"),
    lambda url: BinanceFeed(lambda: NOON, url),
]


@pytest.mark.parametrize("make", FEEDS)
@pytest.mark.parametrize(
    "answer",
    [
        (500, b"oops"),
        (429, {"status": {"error_code": 429, "error_message": "slow down"}}),
        (200, b"<html>"),
        (200, []),
        (200, b"[" * 100_000),
        (200, b" " * (ANSWER_BYTES_MAX + 1)),
    ],
)
async def test_a_source_that_says_no_price_is_unavailable(
    stand_in: StandIn, make: Callable[[str], CoinGeckoFeed], answer: Answer
) -> None:
    stand_in.says = always(*answer)
    with pytest.raises(FeedUnavailable) as caught:
        await make(stand_in.url).quotes(["ETH"])
    assert "key of ours" not in str(caught.value)


@pytest.mark.parametrize("make", FEEDS)
async def test_a_source_that_is_away_is_unavailable(make: Callable[[str], CoinGeckoFeed]) -> None:
    with pytest.raises(FeedUnavailable, match="did not answer"):
        await make("http://127.0.0.1:9").quotes(["ETH"])


async def test_binance_gives_many_in_one_request_and_learns_what_it_does_not_trade(
    stand_in: StandIn,
) -> None:
    def says(path: str, query: dict[str, str]) -> Answer:
        if "NOPE" in query.get("symbols", query.get("symbol", "")):
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        if "symbols" in query:
            wanted = json.loads(query["symbols"])
            return 200, [{"symbol": it, "price": "46707.03000000"} for it in wanted]
        return 200, {"symbol": query["symbol"], "price": "46707.03000000"}

    stand_in.says = says
    feed = BinanceFeed(lambda: NOON, stand_in.url)
    found = await feed.quotes(["ETH", "NOPE", "USDT"])
    assert {symbol: quote.price for symbol, quote in found.items()} == {"ETH": Decimal("46707.03")}
    assert len(stand_in.asked) == 3
    assert (await feed.quotes(["ETH", "NOPE"])).keys() == {"ETH"}
    assert len(stand_in.asked) == 4
    await feed.aclose()


async def test_binance_is_asked_again_tomorrow_for_what_it_does_not_trade_today(
    stand_in: StandIn,
) -> None:
    now = NOON
    feed = BinanceFeed(lambda: now, stand_in.url)
    stand_in.says = always(400, {"code": -1121, "msg": "Invalid symbol."})
    assert await feed.quotes(["NEW"]) == {}
    stand_in.says = always(200, [{"symbol": "NEWUSDT", "price": "2"}])
    assert await feed.quotes(["NEW"]) == {}
    now += timedelta(hours=1)
    assert (await feed.quotes(["NEW"]))["NEW"].price == 2
    await feed.aclose()


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (0, {"error": [], "result": {"XETHZEUR": {"c": ["3000", "1"]}}}),
        (1, {"data": {"amount": "97000", "base": "BTC", "currency": "USD"}}),
        (1, {"data": {"amount": "3000", "base": "ETH", "currency": "EUR"}}),
        (3, {"bitcoin": {"usd": 97000, "last_updated_at": 1558704332}}),
    ],
)
async def test_the_price_of_something_else_is_none(
    stand_in: StandIn, make: int, answer: object
) -> None:
    stand_in.says = always(200, answer)
    with pytest.raises(FeedUnavailable):
        await FEEDS[make](stand_in.url).quotes(["ETH"])


async def test_binance_alone_says_whose_price_it_is(stand_in: StandIn) -> None:
    def says(path: str, query: dict[str, str]) -> Answer:
        if "symbols" in query:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        return 200, {"symbol": "BTCUSDT", "price": "97000"}

    stand_in.says = says
    with pytest.raises(FeedUnavailable):
        await BinanceFeed(lambda: NOON, stand_in.url).quotes(["ETH"])


async def test_coingecko_says_what_a_currency_is_worth_by_a_coin_that_is_priced_in_both(
    stand_in: StandIn,
) -> None:
    stand_in.says = always(
        200, b'{"bitcoin":{"usd":97200,"eur":90000,"last_updated_at":1558704332}}'
    )
    feed = CoinGeckoFeed(lambda: NOON, stand_in.url)
    found = await feed.quotes(["EUR", "GBP"])
    assert {symbol: quote.price for symbol, quote in found.items()} == {"EUR": Decimal("1.08")}
    assert found["EUR"].quoted_at == datetime.fromtimestamp(1558704332, UTC)
    ((_, query, _),) = stand_in.asked
    assert (query["ids"], query["vs_currencies"]) == ("bitcoin", "usd,eur,gbp")
    for said in ('"NaN"', "0", "-1", "null", "1e999999"):
        told = f'{{"bitcoin":{{"usd":97200,"eur":{said},"last_updated_at":1558704332}}}}'
        stand_in.says = always(200, told.encode())
        answer = await CoinGeckoFeed(lambda: NOON, stand_in.url).quotes(["EUR"])
        assert answer["EUR"].price is None
    await feed.aclose()


async def test_who_fails_at_one_of_many_says_so_of_that_one(stand_in: StandIn) -> None:
    stand_in.says = lambda path, query: coinbase(path, query) if "ETH" in path else (500, b"oops")
    found = await CoinbaseFeed(lambda: NOON, stand_in.url).quotes(["ETH", "TAO"])
    assert found["ETH"].price == Decimal("1020.25")
    assert (found["TAO"].price, found["TAO"].dropped) == (
        None, "silent: coinbase answered nonsense (500)",
    )  # fmt: skip


async def test_a_source_that_may_not_be_asked_from_here_is_unavailable(stand_in: StandIn) -> None:
    stand_in.says = always(
        451, {"code": 0, "msg": "Service unavailable from a restricted location"}
    )
    with pytest.raises(FeedUnavailable, match="restricted location"):
        await BinanceFeed(lambda: NOON, stand_in.url).quotes(["ETH"])


async def test_what_a_cache_kept_is_as_old_as_it_says(stand_in: StandIn) -> None:
    stand_in.says = coinbase
    stand_in.headers = {"Age": "600"}
    found = await CoinbaseFeed(lambda: NOON, stand_in.url).quotes(["ETH"])
    assert found["ETH"].quoted_at == NOON - timedelta(seconds=600)


async def test_what_is_said_instead_of_a_price_is_kept(stand_in: StandIn) -> None:
    stand_in.says = always(200, {"data": {"amount": "NaN", "currency": "USD"}})
    found = await CoinbaseFeed(lambda: NOON, stand_in.url).quotes(["ETH"])
    assert (found["ETH"].price, found["ETH"].dropped) == (None, "not a price: 'NaN'")


async def test_past_prices_come_with_their_time(stand_in: StandIn) -> None:
    points = (
        b'{"prices":[[1711843200000,69702.3087473573],["x",1],[1711929600000,0]],"market_caps":[]}'
    )
    stand_in.says = always(200, points)
    feed = CoinGeckoFeed(lambda: NOON, stand_in.url)
    assert await feed.past("TAO", 30) == [
        (datetime(2024, 3, 31, tzinfo=UTC), Decimal("69702.3087473573"))
    ]
    ((path, query, _),) = stand_in.asked
    assert path == "/coins/bittensor/market_chart"
    assert query == {"vs_currency": "usd", "days": "30"}
    assert await feed.past("NOPE", 30) == ()


async def test_limits_that_come_with_status_200_are_refusals(stand_in: StandIn) -> None:
    stand_in.says = always(200, {"status": {"error_code": 429, "error_message": "slow down"}})
    with pytest.raises(FeedUnavailable):
        await CoinGeckoFeed(lambda: NOON, stand_in.url).quotes(["ETH"])
    stand_in.says = always(200, {"error": ["EAPI:Rate limit exceeded"]})
    with pytest.raises(FeedUnavailable, match="Rate limit"):
        await KrakenFeed(lambda: NOON, stand_in.url).quotes(["ETH"])
    stand_in.says = always(200, {"Response": "Error", "Message": "rate limit", "Type": 99})
    with pytest.raises(FeedUnavailable, match="rate limit"):
        await CryptoCompareFeed(lambda: NOON, stand_in.url).quotes(["ETH"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "abc",
        "-1",
        "0",
        0,
        "NaN",
        "Infinity",
        "1" * 41,
        [],
        {},
        1.5,
        "1e999999",
        "1e-999999",
        "1e19",
        Decimal("1e-19"),
    ],
)
def test_what_is_no_price(value: object) -> None:
    assert price_in(value) is None


def test_what_is_a_price() -> None:
    assert price_in("0.00001") == Decimal("0.00001")
    assert price_in(5) == 5
    assert price_in(Decimal("412.5")) == Decimal("412.5")


async def test_three_sources_make_a_price(stand_in: StandIn) -> None:
    stand_in.says = lambda path, query: (
        (200, {"data": {"amount": "3338.00", "currency": "USD"}})
        if path.startswith("/v2")
        else (200, b'{"USD":3339.5}')
        if path.startswith("/data")
        else kraken(path, query)
    )
    feeds = [make(stand_in.url) for make in FEEDS[:3]]
    rate, quotes = await PriceBoard(feeds).rate(Asset("ETH", 18), Asset("USD", 2), NOON)
    assert rate.price == Decimal("3338.08")
    assert [quote.source for quote in quotes] == [
        "kraken:ETH-USD", "coinbase:ETH-USD", "cryptocompare:ETH-USD",
    ]  # fmt: skip


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["ETHUSDT", "USD", "NaN", "1", "-1", "1e999999"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["error", "result", "XETHZUSD", "c", "data", "amount", "currency", "USD", "Response", "Type",
             "ethereum", "usd", "last_updated_at", "status", "symbol", "price", "code", "msg", "prices"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(answer=anything, status=st.sampled_from([200, 200, 400, 404, 500]))
def test_whatever_a_source_answers_it_gives_quotes_or_is_unavailable(
    answer: object, status: int
) -> None:
    """A fault of one feed would be a fault of all prices."""

    async def ask_all() -> None:
        body = json.dumps(answer).encode()
        transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
        for kind in (KrakenFeed, CoinbaseFeed, CryptoCompareFeed, CoinGeckoFeed, BinanceFeed):
            feed = kind(lambda: NOON, transport=transport)
            with suppress(FeedUnavailable):
                for symbol, quote in (await feed.quotes(["ETH"])).items():
                    assert symbol == "ETH"
                    assert (quote.price is None) == (quote.dropped is not None)
                    assert quote.price is None or quote.price > 0
            if isinstance(feed, CoinGeckoFeed):
                with suppress(FeedUnavailable):
                    assert all(price > 0 for _, price in await feed.past("ETH", 1))
            await feed.aclose()

    asyncio.run(ask_all())
