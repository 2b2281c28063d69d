"""Credits burn in tiers and packages: by what an account used in the month, however it was sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.pricing import charge, from_data, total
from flamewire_ledger.commands.metering import InMonth
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.meter import PriceData
from tests.api.test_usage import account, codes, item, meter, sent
from tests.api.world import NOON, World

TIERED: PriceData = {
    "model": "graduated",
    "tiers": [{"up_to": "3", "unit_price": "1"}, {"unit_price": "0.5"}],
}
PACKAGES: PriceData = {"model": "package", "price": "2", "size": "5"}
FEBRUARY = datetime(2026, 2, 1, 0, 30, tzinfo=NOON.tzinfo)


async def available(ledger: World, account_id: str) -> str:
    read = (await ledger.get(f"/v1/credit_accounts/{account_id}")).json()
    return str(read["balance"]["available"])


def calls(subject: str, name: str, count: int, at: datetime = NOON) -> list[dict[str, object]]:
    return [item(subject, f"{name}{n}", at=at) for n in range(count)]


@pytest.mark.parametrize(
    ("price", "left"), [(TIERED, "5.500000"), (PACKAGES, "6.000000")], ids=["tiers", "packages"]
)
async def test_batches_of_a_month_are_priced_together(ledger: World, price: PriceData, left: str):
    await meter(ledger, credit_price=price)
    tom = await account(ledger, "10")
    for name, count in (("a", 2), ("b", 2), ("c", 2)):
        await sent(ledger, calls(tom, name, count))
    assert await available(ledger, tom) == left
    await sent(ledger, calls(tom, "a", 2))  # again
    assert await available(ledger, tom) == left


@pytest.mark.parametrize(
    "price",
    [
        {"model": "standard", "unit_price": "0.0000004"},
        {"model": "percentage", "percent": "0.00004"},
    ],
    ids=["standard", "percentage"],
)
async def test_many_small_batches_cost_what_one_does(ledger: World, price: PriceData):
    await meter(ledger, "sum", credit_price=price)
    tom = await account(ledger, "1")
    for n in range(7):
        await sent(ledger, [item(tom, f"{n}", value=1)])
    assert await available(ledger, tom) == "0.999997"  # 2.8 millionths, rounded up


async def test_a_month_begins_in_the_first_tier_and_late_usage_is_of_its_own(ledger: World):
    await meter(ledger, credit_price=TIERED)
    tom = await account(ledger, "10")
    await sent(ledger, calls(tom, "january", 4))
    assert await available(ledger, tom) == "6.500000"
    ledger.clock.turn(seconds=int((FEBRUARY - NOON).total_seconds()))
    february = FEBRUARY - timedelta(minutes=1)
    await sent(ledger, [*calls(tom, "late", 1), *calls(tom, "february", 1, february)])
    assert await available(ledger, tom) == "5.000000"


async def test_what_was_refused_does_not_fill_a_tier(ledger: World):
    await meter(ledger, credit_price=TIERED)
    tom = await account(ledger, "2")
    assert codes(await sent(ledger, calls(tom, "much", 4))) == ["insufficient_credits"] * 4
    assert codes(await sent(ledger, calls(tom, "little", 2))) == ["accepted"] * 2
    assert await available(ledger, tom) == "0.000000"


async def test_meters_that_share_items_have_tiers_of_their_own(ledger: World):
    await meter(ledger, credit_price=TIERED)
    await meter(
        ledger, credit_price=TIERED, filters=[{"key": "method", "values": ["eth_getLogs"]}]
    )  # fmt: skip
    tom = await account(ledger, "20")
    both = [item(tom, f"b{n}", method="eth_getLogs") for n in range(2)]
    await sent(ledger, [*both, *calls(tom, "one", 2)])  # 4 of one meter, 2 of the other
    assert await available(ledger, tom) == "14.500000"


async def test_a_price_that_may_fall_burns_no_credits(ledger: World):
    volume = {"model": "volume", "tiers": TIERED["tiers"]}
    body = {"name": "m", "event_type": "t", "aggregation": "count", "credit_price": volume}
    answer = await ledger.post("/v1/meters", body)
    assert answer.json()["errors"][0]["pointer"] == "/credit_price/model"


@given(st.lists(st.integers(1, 9), max_size=12), st.sampled_from([TIERED, PACKAGES]))
def test_however_a_month_is_cut_it_comes_to_the_price_of_all_of_it(
    parts: list[int], price: PriceData
):
    model = from_data(price)
    burnt, before = 0, Decimal(0)
    for part in map(Decimal, parts):
        cost = InMonth("me_1", NOON, part, model).cost_units(before)
        assert cost >= 0
        burnt, before = burnt + cost, before + part
    assert burnt == total(charge(model, before, CREDIT), CREDIT).units
