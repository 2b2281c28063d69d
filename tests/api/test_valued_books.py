"""The books in one currency: from what is recorded, balanced, and the same at a position for ever."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flamewire_ledger.domain.money import Amount, Asset
from tests.api.bookkeeping import ONE_TAO, TAO, bookkeeping, sample, send
from tests.api.test_portfolio import arrive, due, intent
from tests.api.world import World


async def valuation(ledger: World, currency: str = "USD", **query: object) -> dict[str, Any]:
    answer = await ledger.get("/v1/ledger/trial_balance", valuation=currency, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()["valuation"]


def values(told: dict[str, Any]) -> dict[str, str]:
    return {line["account"]: line["value"] for line in told["accounts"]}


async def test_a_payment_is_worth_what_it_was_locked_at(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    told = await valuation(ledger)
    assert values(told) == {
        "assets:wallet:bittensor": "25.00",
        "income:sales": "-25.00",
        "liabilities:customer_unapplied": "0.00",
    }
    assert (told["is_balanced"], told["is_partial"]) == (True, False)


async def test_feeds_that_say_something_else_later_change_nothing(ledger: World):
    made = await intent(ledger)
    position = await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    before = await valuation(ledger, as_of=position)
    ledger.quotes["TAO"] = Decimal("9999")
    ledger.clock.turn(days=1)
    await sample(ledger, "TAO", "9999")
    assert await valuation(ledger, as_of=position) == before
    assert values(await valuation(ledger)) == values(before)


async def test_debits_equal_credits_and_what_was_gained_is_an_account(ledger: World):
    await bookkeeping(ledger)
    told = await valuation(ledger)
    assert told["is_balanced"]
    assert told["debits"] == told["credits"]
    assert sum(Decimal(line["value"]) for line in told["accounts"]) == 0
    gains = values(told)["income:realised_gains"]
    # 0.02 TAO that stood at 8.24 left at 10.00. The refund had stood at 25.00 and left at 28.13,
    # which is gained on what was held and lost on what was owed.
    assert gains == "-1.76"
    assert told["realised_gains"] == "1.76"


async def test_an_account_without_units_has_no_value(ledger: World):
    await bookkeeping(ledger)
    for line in (await valuation(ledger))["accounts"]:
        is_of_balance_sheet = line["account"].startswith(("assets:", "liabilities:"))
        if is_of_balance_sheet and int(line["balance_minor"]) == 0:
            assert line["value_minor"] == "0", line


async def test_what_has_no_recorded_price_is_unvalued_until_one_is_filled_in(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", 3 * ONE_TAO, Asset("bittensor:ALPHA", 9))
    told = await valuation(ledger)
    (held,) = [line for line in told["accounts"] if line["account"] == "liabilities:suspense"]
    assert (held["value"], held["unvalued"], held["balance"]) == (
        "0.00", "-3.000000000", "-3.000000000",
    )  # fmt: skip
    assert told["is_partial"]


async def test_another_currency_goes_by_its_own_recorded_price(ledger: World):
    await sample(ledger, "EUR", "1.25")
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    assert values(await valuation(ledger, "EUR"))["assets:wallet:bittensor"] == "20.00"


async def test_without_a_recorded_rate_nothing_is_valued_in_another_currency(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    told = await valuation(ledger, "EUR")
    assert told["is_partial"]
    assert values(told)["assets:wallet:bittensor"] == "0.00"


async def test_a_price_of_the_day_before_yesterday_is_none(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    await sample(ledger, "TAO", "500")
    ledger.clock.turn(days=2)
    await send(ledger, Amount(TAO, 1000), "expenses:network_fees")
    assert values(await valuation(ledger))["expenses:network_fees"] == "0.00"
    await sample(ledger, "TAO", "500")
    await send(ledger, Amount(TAO, ONE_TAO // 50), "expenses:network_fees")
    assert values(await valuation(ledger))["expenses:network_fees"] == "10.00"


async def test_the_valued_trial_balance_is_that_of_a_moment(ledger: World):
    made = await intent(ledger)
    first = await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    then = ledger.clock.now().isoformat()
    ledger.clock.turn(minutes=1)
    other = await intent(ledger)
    await arrive(ledger, other, "ethereum", due(other, "ethereum"))
    at_position = await valuation(ledger, as_of=first)
    assert values(at_position)["income:sales"] == "-25.00"
    assert values(await valuation(ledger, as_of=then)) == values(at_position)
    assert values(await valuation(ledger))["assets:wallet:ethereum"] == "25.00"


async def test_an_unknown_currency_is_refused(ledger: World):
    answer = await ledger.get("/v1/ledger/trial_balance", valuation="XXY")
    assert answer.status_code == 422


async def test_the_chart_names_every_account_that_was_posted_to(ledger: World):
    await bookkeeping(ledger)
    chart = (await ledger.get("/v1/ledger/accounts")).json()["data"]
    names = [line["account"] for line in chart]
    for row in (await ledger.get("/v1/balances")).json()["data"]:
        assert any(row["account"].startswith(name.partition("{")[0]) for name in names)
        (line,) = [
            it
            for it in chart
            if row["account"] == it["account"]
            or ("{" in it["account"] and row["account"].startswith(it["account"].partition("{")[0]))
        ]
        assert row["normal_side"] == line["normal_side"]
