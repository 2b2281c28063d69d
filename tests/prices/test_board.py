"""The price board: any pair, one refresh for many callers, and what happens when sources fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.domain.rejection import PriceUnavailable
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.prices.sandbox import BASE_PRICES, sandbox_feeds
from flamewire_ledger.prices.standing import Patience
from flamewire_ledger.telemetry import Meters

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USD, EUR = Asset("USD", 2), Asset("EUR", 2)
TAO, USDC = Asset("bittensor:TAO", 9), Asset("ethereum:USDC", 6)


class Source:
    """A feed that says what a test tells it to."""

    currency = "USD"

    def __init__(self, name: str, price: str = "100") -> None:
        self.name = name
        self.price: Decimal | None = Decimal(price)
        self.now = NOON
        self.asked = 0
        self.hangs = False
        self.prices: dict[str, Decimal | None] = {}  # of some symbols, where they are others

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.asked += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        if self.price is None:
            raise FeedUnavailable("it is down")
        said = {symbol: self.prices.get(symbol, self.price) for symbol in symbols}
        return {symbol: Quote(self.name, price, self.now) for symbol, price in said.items()}


class Sources:
    """Three of them and their board."""

    def __init__(self, **patience: float) -> None:
        self.all = [Source("a"), Source("b"), Source("c")]
        self.board = PriceBoard(self.all, patience=Patience(**patience))  # type: ignore[arg-type]
        self.now = NOON

    def say(self, price: str | None) -> None:
        for source in self.all:
            source.price = None if price is None else Decimal(price)

    def later(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for source in self.all:
            source.now = self.now

    async def settle(self) -> None:
        """Let what is asked behind the callers' backs come back."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def price(self) -> Decimal:
        rate, _ = await self.board.rate(TAO, USD, self.now)
        return rate.price

    async def is_stale(self) -> bool:
        return (await self.board.pair(TAO, USD, self.now)).is_stale


async def test_the_sandbox_prices_tao_so_that_25_dollars_are_known_by_heart() -> None:
    rate, quotes = await PriceBoard(sandbox_feeds(lambda: NOON)).rate(TAO, USD, NOON)
    assert rate.price == Decimal("412.5")
    assert rate.base_for(Amount.parse("25", USD)).text == "0.060606061"
    assert [quote.source for quote in quotes] == [
        "sandbox-low:TAO-USD", "sandbox-middle:TAO-USD", "sandbox-high:TAO-USD",
    ]  # fmt: skip
    assert len({quote.price for quote in quotes}) == 3


@pytest.mark.parametrize("symbol", BASE_PRICES)
async def test_every_sandbox_price_is_its_base_price_to_the_digit(symbol: str) -> None:
    rate, _ = await PriceBoard(sandbox_feeds(lambda: NOON)).rate(Asset(symbol, 8), USD, NOON)
    assert rate.price == BASE_PRICES[symbol]


async def test_any_pair_goes_through_the_dollar_with_the_quotes_of_both_sides() -> None:
    rate, quotes = await PriceBoard(sandbox_feeds(lambda: NOON)).rate(TAO, EUR, NOON)
    assert rate.price == Decimal("381.944444444444444")
    assert len(quotes) == 6
    back, _ = await PriceBoard(sandbox_feeds(lambda: NOON)).rate(USD, TAO, NOON)
    assert back.price == Decimal("0.00242424242424242424")


async def test_a_thing_costs_one_of_itself() -> None:
    rate, quotes = await Sources().board.rate(USDC, Asset("sui:USDC", 6), NOON)
    assert rate.price == 1
    assert quotes == ()


async def test_many_callers_make_one_refresh() -> None:
    sources = Sources()
    prices = await asyncio.gather(*(sources.price() for _ in range(100)))
    assert set(prices) == {Decimal(100)}
    assert [source.asked for source in sources.all] == [1, 1, 1]


async def test_a_price_is_asked_for_again_after_half_a_minute_and_not_before() -> None:
    sources = Sources()
    await sources.price()
    sources.later(29)
    await sources.price()
    await sources.settle()
    assert sources.all[0].asked == 1
    sources.later(1)
    await sources.price()
    await sources.settle()
    assert sources.all[0].asked == 2


async def test_nobody_waits_for_a_price_that_is_still_young_enough() -> None:
    sources = Sources(feed_seconds_max=60)
    await sources.price()
    for source in sources.all:
        source.hangs = True
    sources.later(59)
    assert await sources.price() == 100
    assert not await sources.is_stale()
    await sources.board.aclose()


async def test_after_a_minute_the_answer_is_waited_for() -> None:
    sources = Sources()
    await sources.price()
    sources.say("101")
    sources.later(60)
    assert await sources.price() == 101


async def test_one_source_down_is_no_matter() -> None:
    sources = Sources()
    sources.all[0].price = None
    assert await sources.price() == 100
    assert not await sources.is_stale()


async def test_a_source_that_hangs_is_not_waited_for() -> None:
    sources = Sources(feed_seconds_max=0.05)
    sources.all[0].hangs = True
    assert await sources.price() == 100


async def test_a_source_that_fails_is_left_alone_for_ever_longer() -> None:
    sources = Sources(refresh_seconds=1, refresh_seconds_max=1)
    sources.all[0].price = None
    for _ in range(60):
        await sources.price()
        sources.later(1)
    # At 0, 5, 15 and 35 s.
    assert sources.all[0].asked == 4
    assert sources.all[1].asked == 60


async def test_the_last_good_price_serves_for_ten_minutes_and_says_that_it_is_stale() -> None:
    sources = Sources()
    await sources.price()
    sources.say(None)
    sources.later(600)
    assert await sources.price() == 100
    assert await sources.is_stale()
    sources.later(1)
    with pytest.raises(PriceUnavailable):
        await sources.price()


async def test_a_price_that_comes_back_is_not_stale_any_more() -> None:
    sources = Sources()
    await sources.price()
    sources.say(None)
    sources.later(60)
    assert await sources.is_stale()
    sources.say("101")
    sources.later(600)
    assert await sources.price() == 101
    assert not await sources.is_stale()


async def test_sources_that_disagree_give_no_new_price() -> None:
    sources = Sources()
    sources.all[0].price = None
    sources.all[1].price = None
    with pytest.raises(PriceUnavailable):
        await sources.price()


async def test_many_callers_without_a_price_do_not_ask_again_and_again() -> None:
    sources = Sources()
    sources.say("0")
    answers = await asyncio.gather(*(sources.price() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(answer, PriceUnavailable) for answer in answers)
    assert sources.all[0].asked == 1


async def test_a_jump_has_to_be_said_twice() -> None:
    sources = Sources()
    await sources.price()
    sources.say("121")
    sources.later(60)
    assert await sources.price() == 100
    assert await sources.is_stale()
    sources.later(30)
    assert await sources.price() == 121
    assert not await sources.is_stale()


async def test_two_jumps_to_different_prices_prove_nothing() -> None:
    sources = Sources()
    await sources.price()
    for price in ("150", "200", "270"):
        sources.say(price)
        sources.later(60)
        assert await sources.price() == 100


async def test_a_jump_that_one_source_disputes_is_not_believed() -> None:
    sources = Sources()
    await sources.price()
    sources.say("1000")
    sources.all[2].price = Decimal(100)
    for _ in range(3):
        sources.later(60)
        assert await sources.price() == 100
        assert await sources.is_stale()


async def test_a_move_of_a_tenth_is_believed_at_once() -> None:
    sources = Sources()
    await sources.price()
    sources.say("110")
    sources.later(60)
    assert await sources.price() == 110


async def test_what_no_source_knows_has_no_price() -> None:
    board = PriceBoard(sandbox_feeds(lambda: NOON))
    with pytest.raises(PriceUnavailable):
        await board.rate(Asset("DOGE", 8), USD, NOON)


@pytest.mark.parametrize("symbol", ["../v2", "a b", "0xA0b86991", "X" * 17, "TAO?x=1"])
async def test_what_is_no_symbol_is_asked_of_nobody(symbol: str) -> None:
    sources = Sources()
    with pytest.raises(PriceUnavailable):
        await sources.board.rate(Asset(symbol, 8), USD, NOON)
    assert sources.all[0].asked == 0


async def test_who_said_nothing_is_among_the_quotes_with_the_reason() -> None:
    sources = Sources()
    sources.all[0].price = None
    _, quotes = await sources.board.rate(TAO, USD, NOON)
    silent = quotes[0]
    assert (silent.source, silent.price) == ("a:TAO-USD", None)
    assert silent.dropped == "silent: it is down"


async def test_what_stands_for_a_dollar_is_turned_into_dollars() -> None:
    sources = Sources()
    for source in sources.all:
        source.prices = {"USDT": Decimal("0.99")}
    tether = Source("d", "101")
    tether.currency = "USDT"
    board = PriceBoard([*sources.all, tether])
    _, quotes = await board.rate(TAO, USD, NOON)
    last = quotes[-1]
    assert (last.source, last.price, last.said) == ("d:TAO-USDT", Decimal("99.99"), "101 USDT")


async def test_a_coin_that_nobody_prices_turns_into_nothing() -> None:
    sources = Sources()
    for source in sources.all:
        source.prices = {"USDT": None}
    tether = Source("d", "101")
    tether.currency = "USDT"
    _, quotes = await PriceBoard([*sources.all, tether]).rate(TAO, USD, NOON)
    assert quotes[-1].dropped == "no price of USDT to turn it into dollars"


async def test_a_rule_may_choose_sources_and_none_that_leads_away() -> None:
    sources = Sources()
    for source, price in zip(sources.all, ("100", "101", "101.5"), strict=True):
        source.price = Decimal(price)
    only = await sources.board.pair(TAO, USD, NOON, frozenset({"a"}))
    assert only.rate.price == 100
    assert [it.source for it in only.quotes] == ["a:TAO-USD"]
    with pytest.raises(PriceUnavailable):
        await sources.board.pair(TAO, USD, NOON, frozenset({"nobody"}))
    sources.all[0].price = Decimal(90)
    sources.later(60)
    with pytest.raises(PriceUnavailable):
        await sources.board.pair(TAO, USD, sources.now, frozenset({"a"}))


async def test_a_clock_that_is_put_back_does_not_make_old_prices_young() -> None:
    sources = Sources()
    sources.later(3600)
    await sources.price()
    sources.later(-3600)
    sources.say("101")
    assert await sources.price() == 101


async def test_how_often_each_source_was_asked_and_failed_is_counted() -> None:
    meters = Meters()
    sources = Sources()
    sources.all[0].price = None
    board = PriceBoard(sources.all, meter=meters)
    await board.rate(TAO, USD, NOON)
    await board.standings(["SUI"], NOON + timedelta(seconds=1))
    shown = (await meters.render()).decode()
    assert 'price_questions_total{outcome="failed",source="a"} 1' in shown
    assert 'price_questions_total{outcome="left_alone",source="a"} 1' in shown
    assert 'price_questions_total{outcome="answered",source="b"} 2' in shown
