"""Sources that are manipulated together, by little and by much: what they cannot do, from the start and later on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest

from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.rejection import PriceUnavailable
from flamewire_ledger.prices.board import PairPrice, PriceBoard
from flamewire_ledger.prices.stand_in import Answer
from tests.prices.stand_in import NAMES, Name, StandIn

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USDC = Asset("ethereum:USDC", 6)
TAO, USDT, USD = Asset("bittensor:TAO", 9), Asset("ethereum:USDT", 6), Asset("USD", 2)
EUR, GBP = Asset("EUR", 2), Asset("GBP", 2)
BAND = Decimal("0.02")
Says = Callable[[str], str]  # what is said of a symbol


class Market(StandIn):
    """Sources of which some say whatever a test has them say."""

    def __init__(self) -> None:
        super().__init__(lambda: self.at)
        self.at = NOON
        self.liars: dict[Name, Says] = {}
        self.failing: set[Name] = set()  # where they are asked about TAO
        self.forgetful: set[Name] = set()  # they know no TAO
        self.board = PriceBoard(self.feeds())

    def said(self, name: Name, symbol: str) -> str:
        return self.liars[name](symbol) if name in self.liars else super().said(name, symbol)

    def answer(self, name: Name, path: str, query: Mapping[str, str]) -> Answer:
        is_about_tao = "TAO" in f"{path} {dict(query)}"
        if is_about_tao and name in self.failing:
            return 500, {}, b"oops"
        if name in self.forgetful:
            others = {symbol: it for symbol, it in self.prices.items() if symbol != "TAO"}
            return StandIn(self.now, prices=others).answer(name, path, query)
        return super().answer(name, path, query)

    def lie(self, factors: Mapping[Name, str | Decimal]) -> None:
        """These say the price times so much, of everything."""
        self.liars = {
            name: lambda symbol, factor=Decimal(factor): f"{self.prices[symbol] * factor:.12f}"
            for name, factor in factors.items()
        }

    async def pair(self, base: Asset = TAO, quote: Asset = USD) -> PairPrice:
        return await self.board.pair(base, quote, self.at)

    async def is_right(self, base: Asset = TAO, quote: Asset = USD) -> bool:
        right = self.prices[base.symbol] / self.prices.get(quote.symbol, Decimal(1))
        return abs((await self.pair(base, quote)).rate.price - right) <= right * BAND


PAIRS = list(combinations(NAMES, 2))


@pytest.mark.parametrize("factor", ["0.91", "0.95", "0.975", "1.01", "1.025", "1.05", "1.09"])
@pytest.mark.parametrize("pair", PAIRS)
async def test_two_that_lie_alike_lead_nothing_away(pair: tuple[Name, Name], factor: str) -> None:
    """Not through the coin that another source quotes in either: of that four sources say a price, and
    where two of them lie, there is none or it is right."""
    market = Market()
    market.lie(dict.fromkeys(pair, factor))
    assert await market.is_right(TAO)
    assert await market.is_right(USDC)
    with suppress(PriceUnavailable):
        assert await market.is_right(USDT)


@pytest.mark.parametrize("pair", PAIRS)
async def test_two_that_lie_lead_no_euro_away(pair: tuple[Name, Name]) -> None:
    for factor in ("10", "1.09"):
        market = Market()
        market.lie(dict.fromkeys(pair, factor))
        assert await market.is_right(TAO, EUR)


@pytest.mark.parametrize("pair", PAIRS)
async def test_where_fewer_sources_know_a_currency_two_that_lie_still_sell_nothing(
    pair: tuple[Name, Name],
) -> None:
    for factor in ("10", "1.09"):
        market = Market()
        market.lie(dict.fromkeys(pair, factor))
        with suppress(PriceUnavailable):
            assert await market.is_right(TAO, GBP)


@pytest.mark.parametrize("factor", ["0.92", "1.05", "1.09", "1.5"])
async def test_one_that_lies_to_the_only_other_one_leads_nothing_away(factor: str) -> None:
    market = Market()
    market.faults = {"coinbase": "down", "cryptocompare": "zero", "binance": "error in a 200"}
    market.lie({"kraken": factor})
    with pytest.raises(PriceUnavailable):
        await market.pair()


@pytest.mark.parametrize("said", ["1e999999", "1e-999999", "9" * 40, "0." + "0" * 36 + "1"])
@pytest.mark.parametrize("liar", NAMES)
async def test_a_number_beyond_all_numbers_is_no_price(liar: Name, said: str) -> None:
    """One source that breaks the arithmetic would break all prices."""
    market = Market()
    market.liars = {liar: lambda symbol: said}
    assert await market.is_right()
    kept = next(it for it in (await market.pair()).quotes if it.source.startswith(liar))
    assert kept.dropped is not None
    assert len(str(kept)) < 400


async def test_who_fails_at_one_thing_only_is_among_its_quotes() -> None:
    """Else those who lie about it would be the majority of what is left."""
    market = Market()
    market.failing = {"kraken", "coinbase"}
    pair = await market.pair()
    assert [it.source.partition(":")[0] for it in pair.quotes] == list(NAMES)


async def test_who_knew_a_thing_and_does_not_any_more_still_counts_as_one() -> None:
    market = Market()
    await market.pair()
    market.forgetful = {"kraken", "coinbase"}
    market.lie({"coingecko": "1.09", "binance": "1.09"})
    market.at += timedelta(seconds=60)
    pair = await market.pair()
    assert pair.is_stale
    assert pair.rate.price == Decimal("412.5")


@pytest.mark.parametrize("factor", ["0.5", "0.7", "1.3", "1.5", "3"])
@pytest.mark.parametrize("honest", NAMES)
async def test_four_that_lie_alike_sell_nothing_at_their_price(honest: Name, factor: str) -> None:
    market = Market()
    await market.pair()
    market.lie({name: factor for name in NAMES if name != honest})
    for _ in range(9):
        market.at += timedelta(seconds=65)
        assert await market.is_right()
    for _ in range(4):
        market.at += timedelta(seconds=65)
        with pytest.raises(PriceUnavailable):
            await market.pair()


async def test_a_move_that_all_but_two_follow_is_believed_in_minutes() -> None:
    """Two that stand still, as exchanges do when it matters, do not stop the others for long."""
    market = Market()
    await market.pair()
    market.prices["TAO"] *= Decimal("1.12")
    market.lie({"kraken": 1 / Decimal("1.12"), "binance": 1 / Decimal("1.12")})
    for _ in range(4):
        market.at += timedelta(seconds=65)
        pair = await market.pair()
    assert await market.is_right()
    assert not pair.is_stale


async def test_a_move_is_believed_in_two_rounds_where_nobody_says_the_old_price() -> None:
    market = Market()
    await market.pair()
    market.prices["TAO"] *= Decimal("1.3")
    market.faults = {"kraken": "tenfold", "binance": "tenfold"}
    for _ in range(2):
        market.at += timedelta(seconds=65)
        pair = await market.pair()
    assert await market.is_right()
    assert not pair.is_stale


async def test_a_coin_that_left_the_dollar_is_turned_into_what_it_is_worth() -> None:
    market = Market()
    market.prices["USDT"] = Decimal("0.94")
    binance = (await market.pair()).quotes[-1]
    assert binance.dropped is None
    assert await market.is_right()


async def test_a_rate_through_the_dollar_is_never_rounded_for_the_payer() -> None:
    """Half up in the last digit is a few units less of what is due, where much is due."""
    for dollars in (Decimal("1.0800"), Decimal("1.07"), Decimal("0.93"), Decimal("1.3")):
        market = Market()
        market.prices |= {"EUR": dollars, "TAO": Decimal("400")}
        rate = (await market.pair(TAO, EUR)).rate.price
        tao, euro = (await market.pair(TAO)).rate.price, (await market.pair(EUR)).rate.price
        assert Fraction(rate) * Fraction(euro) <= Fraction(tao)
