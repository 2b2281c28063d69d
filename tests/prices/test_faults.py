"""Sources that fail in every way there is: with two of five locks go on at a right price, with four there is none, and
nobody leads a price away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations, product

import pytest

from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.rejection import PriceUnavailable
from flamewire_ledger.prices.board import PairPrice, PriceBoard
from tests.prices.stand_in import FAULTS, NAMES, PRICES, Fault, Name, StandIn

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TAO, USD = Asset("bittensor:TAO", 9), Asset("USD", 2)
BAND = Decimal("0.02")


class World:
    """Five sources and their board."""

    def __init__(self, faults: dict[Name, Fault]) -> None:
        self.now = NOON
        self.stand_in = StandIn(lambda: self.now, faults=faults)
        self.board = PriceBoard(self.stand_in.feeds())

    async def pair(self) -> PairPrice:
        return await self.board.pair(TAO, USD, self.now)


def is_right(price: Decimal) -> bool:
    return abs(price - PRICES["TAO"]) <= PRICES["TAO"] * BAND


async def test_all_five_agree() -> None:
    pair = await World({}).pair()
    assert pair.rate.price == Decimal("412.5")  # kraken is in the middle
    assert [it.dropped for it in pair.quotes] == [None] * 5
    assert pair.quotes[4].said is not None
    assert pair.quotes[4].said.endswith(" USDT")


@pytest.mark.parametrize(("first", "second"), list(product(FAULTS, FAULTS)))
async def test_with_any_two_of_five_failing_locks_go_on_at_a_right_price(
    first: Fault, second: Fault
) -> None:
    for one, other in combinations(NAMES, 2):
        pair = await World({one: first, other: second}).pair()
        assert is_right(pair.rate.price), (one, other)
        assert not pair.is_stale
        failing = {one, other}
        dropped = {it.source.partition(":")[0] for it in pair.quotes if it.dropped is not None}
        assert dropped == failing, "the lock says who did not count"
        assert len(pair.quotes) == len(NAMES)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("honest", NAMES)
async def test_with_four_failing_alike_there_is_no_price(honest: Name, fault: Fault) -> None:
    """Four that say the same thing are believed where nothing is known before: see below."""
    if fault in ("tenfold", "raised"):
        return
    with pytest.raises(PriceUnavailable) as caught:
        await World({name: fault for name in NAMES if name != honest}).pair()
    assert "of 5 asked" in caught.value.detail


@pytest.mark.parametrize("faults", list(product(["down", "tenfold", "zero", "stale"], repeat=4)))
async def test_with_four_failing_differently_nobody_leads_the_price_away(
    faults: Sequence[Fault],
) -> None:
    """Unless three of them say the same wrong thing, from the start: three of five are a majority."""
    if faults.count("tenfold") >= 3:
        return
    world = World(dict(zip(NAMES[1:], faults, strict=True)))
    with pytest.raises(PriceUnavailable):
        await world.pair()


@pytest.mark.parametrize("honest", NAMES)
async def test_four_that_lie_alike_do_not_move_a_price_that_was_known(honest: Name) -> None:
    world = World({})
    await world.pair()
    world.stand_in.faults = {name: "tenfold" for name in NAMES if name != honest}
    for _ in range(9):
        world.now += timedelta(seconds=65)
        pair = await world.pair()
        assert is_right(pair.rate.price)
        assert pair.is_stale
    world.now += timedelta(seconds=65)
    with pytest.raises(PriceUnavailable):
        await world.pair()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", ["0.1", "0.5", "0.97", "1.019", "1.03", "1.5", "10", "1000000"])
async def test_no_source_moves_the_price_beyond_the_band(name: Name, factor: str) -> None:
    world = World({})
    honest = world.stand_in.said

    def said(source: Name, symbol: str) -> object:
        price = Decimal(str(honest(source, symbol)))
        return f"{price * Decimal(factor):.12f}" if source == name else honest(source, symbol)

    world.stand_in.said = said  # type: ignore[method-assign]
    assert abs((await world.pair()).rate.price - PRICES["TAO"]) < PRICES["TAO"] / 1000


async def test_who_fails_is_asked_again_after_a_while_and_counts_again() -> None:
    world = World({"kraken": "down", "coinbase": "wrong shape"})
    await world.pair()
    world.stand_in.faults = {}
    world.now += timedelta(seconds=65)
    pair = await world.pair()
    assert [it.dropped for it in pair.quotes] == [None] * 5
