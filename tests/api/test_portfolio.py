"""What is in the wallets on every network, for whom, and what it is worth."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flamewire_ledger.commands import payment as payment_commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import ConfirmTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.api.test_price_history import prices
from tests.api.world import World

WAYS = [
    {"network": "bittensor", "asset": "TAO"},
    {"network": "ethereum", "asset": "ETH"},
    {"network": "sui", "asset": "USDC"},
]


async def intent(ledger: World) -> dict[str, Any]:
    body = {"amount": "25.00", "currency": "USD", "pay_with": WAYS}
    response = await ledger.post("/v1/payment_intents", body)
    assert response.status_code == 201, response.text
    return response.json()


async def arrive(
    ledger: World, made: dict[str, Any], network: str, units: int, asset: Asset | None = None
) -> int:
    """So many units are final on a network; the position."""
    option = next(it for it in made["payment_options"] if it["network"] == network)
    decimals = {"bittensor": 9, "ethereum": 18, "sui": 6}[network]
    asset = asset or Asset(f"{network}:{option['asset']}", decimals)
    name = f"0x{network}{ledger.sequence}"
    ledger.sequence += 1
    transfer = Transfer(network, name, 0, option["address"], Amount(asset, units))
    now = ledger.clock.now()
    origin = Origin(command_id("test", name), ledger.merchant_id, "watcher:test")
    command = ConfirmTransfer(made["id"], transfer, Block(7, "0xb7", now), 3, now, now)
    outcome = await ledger.writer.submit(payment_commands.envelope(origin, command))
    assert isinstance(outcome, Done)
    return outcome.position


def due(made: dict[str, Any], network: str) -> int:
    option = next(it for it in made["payment_options"] if it["network"] == network)
    return int(option["amount_minor"])


async def portfolio(ledger: World, **query: object) -> dict[str, Any]:
    response = await ledger.get("/v1/portfolio", **query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_merchant_without_money_has_an_empty_portfolio(ledger: World):
    shown = await portfolio(ledger)
    assert shown["holdings"] == []
    assert (shown["total"], shown["is_partial"], shown["valuation"]) == ("0.00", False, "USD")


async def test_every_network_is_one_list_with_what_is_settled_and_what_is_held(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    position = await arrive(ledger, made, "ethereum", due(made, "ethereum"))  # a second payment
    shown = await portfolio(ledger, min_position=position)
    tao, eth = shown["holdings"]
    assert (tao["network"], tao["asset"], tao["balance"]) == ("bittensor", "TAO", "0.060606061")
    assert (tao["settled"], tao["unapplied"], tao["suspense"]) == (
        "0.060606061", "0.000000000", "0.000000000",
    )  # fmt: skip
    assert tao["chain_id"] == "sandbox:bittensor"
    assert (eth["network"], eth["unapplied"]) == ("ethereum", "0.007812500000000000")
    assert eth["settled_minor"] == "0"
    assert (tao["value"], eth["value"], shown["total"]) == ("25.00", "25.00", "50.00")
    assert tao["price"]["price"] == "412.5"
    assert tao["price"]["at"] == shown["valued_at"]
    assert tao["price"]["sources"] == ["one:TAO-USD", "two:TAO-USD"]
    assert (tao["reason"], shown["is_partial"]) == (None, False)


async def test_the_parts_of_a_holding_add_up(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor") + 5)
    other = Asset("bittensor:UNLISTED", 9)
    position = await arrive(ledger, made, "bittensor", 7, other)
    resolve = {"choice": "refund", "reason": "sent too much"}
    await ledger.post(f"/v1/payment_intents/{made['id']}/resolve", resolve)
    late = await intent(ledger)
    position = await arrive(ledger, late, "bittensor", 11)
    rows = (await portfolio(ledger, min_position=position))["holdings"]
    tao = next(it for it in rows if it["asset"] == "TAO")
    assert (tao["refunds_payable_minor"], tao["unapplied_minor"]) == ("5", "11")
    for row in rows:
        parts = ("settled", "unapplied", "suspense", "refunds_payable")
        assert int(row["balance_minor"]) == sum(int(row[f"{part}_minor"]) for part in parts)


async def test_what_nobody_prices_is_listed_last_and_makes_the_total_partial(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", 7, Asset("bittensor:AAA", 9))
    position = await arrive(ledger, made, "sui", 25_000_000)
    shown = await portfolio(ledger, min_position=position)
    usdc, unlisted = shown["holdings"]
    assert (usdc["asset"], usdc["value"]) == ("USDC", "25.00")
    assert (unlisted["asset_code"], unlisted["suspense_minor"]) == ("bittensor:AAA", "7")
    assert (unlisted["value"], unlisted["price"]) == (None, None)
    assert "no network" in unlisted["reason"]
    assert (shown["total"], shown["is_partial"]) == ("25.00", True)


async def test_a_token_that_calls_itself_dollars_is_worth_nothing(ledger: World):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", 10**18, Asset("bittensor:USDC", 6))
    shown = await portfolio(ledger, min_position=position)
    assert shown["holdings"][0]["value"] is None
    assert shown["total"] == "0.00"


async def test_an_asset_whose_sources_are_silent_says_so(ledger: World):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", 1_000_000_000)
    del ledger.quotes["TAO"]
    ledger.clock.turn(hours=1)
    shown = await portfolio(ledger, min_position=position)
    assert shown["holdings"][0]["value"] is None
    assert "TAO" in shown["holdings"][0]["reason"]
    assert shown["is_partial"] is True


@pytest.mark.parametrize(
    ("valuation", "total"), [("EUR", "381.94"), ("TAO", "1.000000000"), ("CREDIT", "412.500000")]
)
async def test_it_is_valued_in_whatever_has_a_price(ledger: World, valuation: str, total: str):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", 1_000_000_000)
    shown = await portfolio(ledger, min_position=position, valuation=valuation)
    assert (shown["valuation"], shown["total"]) == (valuation, total)


async def test_it_is_valued_at_the_price_of_now(ledger: World):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", 1_000_000_000)
    ledger.quotes["TAO"] = Decimal(420)
    ledger.clock.turn(minutes=5)
    assert (await portfolio(ledger, min_position=position))["total"] == "420.00"


async def test_it_is_shown_as_it_was(ledger: World):
    made = await intent(ledger)
    first = await arrive(ledger, made, "bittensor", 1_000_000_000)
    last = await arrive(ledger, made, "sui", 1_000_000)
    now = await portfolio(ledger, min_position=last)
    then = await portfolio(ledger, as_of=first)
    assert [it["asset"] for it in now["holdings"]] == ["TAO", "USDC"]
    assert [it["asset"] for it in then["holdings"]] == ["TAO"]
    # The first position is still unapplied then: it is more than what was asked for.
    assert then["holdings"][0]["balance"] == "1.000000000"
    assert (then["as_of"], now["as_of"]) == (first, None)
    at_the_end = await portfolio(ledger, as_of=last)
    assert [_units(it) for it in at_the_end["holdings"]] == [_units(it) for it in now["holdings"]]


def _units(holding: dict[str, Any]) -> dict[str, Any]:
    """All but what it is worth: that goes by the prices of the time."""
    return {
        key: it for key, it in holding.items() if not key.startswith(("price", "value", "reason"))
    }


async def test_what_was_is_worth_what_it_was_worth(ledger: World):
    made = await intent(ledger)
    ledger.clock.turn(minutes=2)
    await prices(ledger, "400")
    held = await arrive(ledger, made, "bittensor", 1_000_000_000)
    ledger.clock.turn(minutes=1)
    last = await prices(ledger, "420")
    then = await portfolio(ledger, as_of=held)
    assert then["total"] == "400.00"
    (tao,) = then["holdings"]
    assert tao["price"] == {
        "price": "400", "at": "2026-01-31T12:02:00Z", "is_stale": False, "sources": ["quorum"],
    }  # fmt: skip
    assert (then["is_partial"], then["as_of"]) == (False, held)
    assert (await portfolio(ledger, as_of=last))["total"] == "420.00"
    ledger.quotes["TAO"] = Decimal(9_999)
    ledger.clock.turn(minutes=10)
    assert await portfolio(ledger, as_of=held) == then  # whatever it costs now
    in_euros = await portfolio(ledger, as_of=held, valuation="EUR")
    assert in_euros["total"] == "370.37"


async def test_a_time_is_valued_at_the_prices_of_that_time(ledger: World):
    """Though nothing was recorded in the merchant's books since long before."""
    made = await intent(ledger)
    ledger.clock.turn(minutes=2)
    await prices(ledger, "400")
    await arrive(ledger, made, "bittensor", 1_000_000_000)
    await prices(ledger, "420", "430")
    assert (await portfolio(ledger, as_of="2026-01-31T12:05:00Z"))["total"] == "420.00"
    shown = await portfolio(ledger, as_of="2026-01-31T12:07:30Z")
    assert (shown["total"], shown["valued_at"]) == ("430.00", "2026-01-31T12:07:30Z")


async def test_where_no_price_was_recorded_there_is_no_value(ledger: World):
    made = await intent(ledger)
    held = await arrive(ledger, made, "bittensor", 1_000_000_000)
    shown = await portfolio(ledger, as_of=held)
    (tao,) = shown["holdings"]
    assert (tao["value"], tao["price"], shown["total"]) == (None, None, "0.00")
    assert "no price of TAO was recorded" in tao["reason"]
    assert shown["is_partial"] is True


async def test_a_limit_leaves_out_the_least_and_says_so(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", 7, Asset("bittensor:AAA", 9))
    position = await arrive(ledger, made, "sui", 25_000_000)
    shown = await portfolio(ledger, min_position=position, limit=1)
    assert [it["asset"] for it in shown["holdings"]] == ["USDC"]
    assert (shown["has_more"], shown["is_partial"]) == (True, True)


async def test_it_is_of_the_caller_alone(ledger: World):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", 1_000_000_000)
    other = ledger.key(await ledger.merchant("another shop"))
    assert (await portfolio(ledger, key=other, min_position=position))["holdings"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [({"valuation": "DOGE2"}, "valuation"), ({"limit": 101}, "limit"), ({"as_of": "x"}, "as_of")],
)
async def test_what_makes_no_sense_is_a_problem_with_its_parameter(
    door: World, query: dict[str, object], parameter: str
):
    response = await door.get("/v1/portfolio", **query)
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == parameter


async def test_it_needs_the_scope_of_the_books(door: World):
    key = door.key(door.merchant_id, "prices:read")
    assert (await door.get("/v1/portfolio", key=key)).status_code == 403
