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
from flamewire_ledger.prices.board import Patience, PriceBoard
from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.prices.sandbox import BASE_PRICES, sandbox_feeds

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USD, EUR = Asset("USD", 2), Asset("EUR", 2)
TAO, USDC = Asset("bittensor:TAO", 9), Asset("ethereum:USDC", 6)


class Source:
    """A feed that says what a test tells it to."""

    def __init__(self, name: str, price: str = "100") -> None:
        self.name = name
        self.price: Decimal | None = Decimal(price)
        self.now = NOON
        self.asked = 0
        self.hangs = False

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.asked += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        if self.price is None:
            raise FeedUnavailable("it is down")
        return {symbol: Quote(self.name, self.price, self.now) for symbol in symbols}


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
    assert sources.all[0].asked == 1
    sources.later(1)
    await sources.price()
    assert sources.all[0].asked == 2


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
    sources = Sources(refresh_seconds=1)
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
    sources.say("111")
    sources.later(30)
    assert await sources.price() == 100
    assert await sources.is_stale()
    sources.later(30)
    assert await sources.price() == 111
    assert not await sources.is_stale()


async def test_two_jumps_to_different_prices_prove_nothing() -> None:
    sources = Sources()
    await sources.price()
    for price in ("120", "150", "190"):
        sources.say(price)
        sources.later(20)
        assert await sources.price() == 100


async def test_a_move_of_a_tenth_is_believed_at_once() -> None:
    sources = Sources()
    await sources.price()
    sources.say("110")
    sources.later(30)
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


async def test_the_board_remembers_what_it_saw() -> None:
    sources = Sources()
    for price in ("100", "101", "102"):
        sources.say(price)
        await sources.price()
        sources.later(30)
    assert [each.dollars for each in sources.board.history("TAO")] == [100, 101, 102]
    assert [each.dollars for each in sources.board.history("TAO", 1)] == [102]
