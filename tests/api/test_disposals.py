"""Disposals: what left the wallets by hand is on the books once, with what was gained, and in the lots."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.api.bookkeeping import ONE_TAO, sample
from tests.api.test_portfolio import arrive, due, intent
from tests.api.test_tax_lots import receive, report
from tests.api.test_valued_books import valuation, values
from tests.api.world import World

PATH = "/v1/disposals"


async def sell(ledger: World, amount: str, dollars: str, **more: object) -> dict[str, Any]:
    answer = await dispose(ledger, amount, proceeds=dollars, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def dispose(
    ledger: World, amount: str, kind: str = "sale", proceeds: str | None = None, **more: object
) -> Any:
    once = more.pop("once", "")
    body: dict[str, object] = {
        "network": "bittensor", "asset": "TAO", "amount": amount, "kind": kind, **more
    }  # fmt: skip
    if proceeds is not None:
        body["proceeds"] = {"amount": proceeds, "currency": "USD"}
    return await ledger.post(PATH, body, once=str(once))


async def test_a_sale_is_worth_what_it_brought_and_the_rest_is_gained(ledger: World):
    await receive(ledger, "400")
    await sample(ledger, "TAO", "999")  # which nobody paid
    sold = await sell(ledger, "0.5", "225.25", reference="order 7")
    assert (sold["amount_minor"], sold["proceeds"]["amount"]) == ("500000000", "225.25")
    told = await valuation(ledger)
    assert told["is_balanced"]
    assert values(told)["assets:wallet:bittensor"] == "200.00"
    assert (told["realised_gains"], values(told)["assets:paid_elsewhere"]) == ("25.25", "225.25")
    assert sum(Decimal(it["value"]) for it in told["accounts"] if "disposals" in it["account"]) == 0
    (line,) = (await report(ledger))["disposals"]
    assert (line["kind"], line["gain"], line["disposal_id"]) == (
        "sale", "25.25", f"{sold['position']}-1",
    )  # fmt: skip
    shown = (await ledger.get(f"{PATH}/{sold['id']}")).json()
    assert shown == sold
    assert (await ledger.get(PATH)).json()["data"] == [sold]


async def test_what_left_when_no_price_was_known_leaves_no_value_behind(ledger: World):
    """It leaves at what it stood at; the lots, which ask for its price, say that they know none."""
    await receive(ledger, "400")
    ledger.clock.turn(days=3)
    assert (await dispose(ledger, "0.25", "fee")).status_code == 201
    assert (await dispose(ledger, "0.75", "withdrawal")).status_code == 201
    told = await valuation(ledger)
    assert (told["is_balanced"], told["is_partial"], told["realised_gains"]) == (
        True,
        False,
        "0.00",
    )
    shown = values(told)
    assert shown["assets:wallet:bittensor"] == "0.00"
    assert (shown["equity:withdrawals"], shown["expenses:network_fees"]) == ("300.00", "100.00")
    lines = (await report(ledger))["disposals"]
    assert [(it["proceeds"], it["cost_basis"]) for it in lines] == [
        (None, "100.00"),
        (None, "300.00"),
    ]
    quickbooks = (await ledger.get("/v1/exports/quickbooks")).text
    assert "Equity:Withdrawals\t300.00" in quickbooks


async def test_the_same_key_records_it_once_and_every_asset_stays_balanced(ledger: World):
    await receive(ledger, "400")
    first = await dispose(ledger, "1", proceeds="410", once="sale-1")
    again = await dispose(ledger, "1", proceeds="410", once="sale-1")
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await dispose(ledger, "1", proceeds="411", once="sale-1")).status_code == 422
    told = (await ledger.get("/v1/ledger/trial_balance")).json()
    assert told["is_balanced"]
    assert (await ledger.types()).count("disposal.made.v1") == 1


async def test_no_more_is_disposed_of_than_is_held(ledger: World):
    await receive(ledger, "400")
    assert (await dispose(ledger, "0.7", "withdrawal")).status_code == 201
    refused = await dispose(ledger, "0.300000001", "fee")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_allowed")
    assert "0.300000000 TAO" in refused.json()["detail"]
    assert (await dispose(ledger, "0.3", "fee")).status_code == 201
    other = ledger.key(await ledger.merchant("other"))
    body = {"network": "bittensor", "asset": "TAO", "amount": "0.1", "kind": "fee"}
    assert (await ledger.post(PATH, body, key=other)).status_code == 409


async def test_a_refund_pays_what_was_to_be_given_back_and_no_more(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor") + 500)
    choice = {"choice": "refund", "reason": "too much"}
    await ledger.post(f"/v1/payment_intents/{made['id']}/resolve", choice)
    assert (await dispose(ledger, "0.000000501", "refund")).status_code == 409
    assert (await dispose(ledger, "0.0000005", "refund")).status_code == 201
    rows = (await ledger.get("/v1/balances", account="liabilities:refunds_payable")).json()["data"]
    assert [row["balance_minor"] for row in rows] == ["0"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sale"},
        {"kind": "fee", "proceeds": "1"},
        {"kind": "gift"},
        {"kind": "fee", "amount": "0"},
        {"kind": "fee", "amount": "-1"},
        {"kind": "fee", "lots": ["1-1", "1-1"]},
        {"kind": "fee", "made_at": "2027-01-01T00:00:00Z"},
    ],
)
async def test_what_makes_no_sense_is_refused(ledger: World, wrong: dict[str, Any]):
    await receive(ledger, "400")
    answer = await dispose(ledger, **{"amount": "0.1", **wrong})
    assert answer.status_code in (409, 422), answer.text


async def test_another_merchants_disposals_are_not_there(ledger: World):
    await receive(ledger, "400")
    sold = await sell(ledger, "0.5", "200")
    other = ledger.key(await ledger.merchant("other"))
    assert (await ledger.get(f"{PATH}/{sold['id']}", key=other)).status_code == 404
    assert (await ledger.get(PATH, key=other)).json()["data"] == []


async def test_the_lots_that_are_named_are_taken_from(ledger: World):
    for dollars in ("300", "500", "400"):
        await receive(ledger, dollars)
    lots = (await report(ledger, method="specific", lots=True))["lots"]
    assert [lot["cost_basis"] for lot in lots] == ["300.00", "500.00", "400.00"]
    named = [lots[1]["lot_id"], lots[2]["lot_id"]]
    sold = await sell(ledger, "1.5", "900", lots=named)
    assert sold["lots"] == named
    lines = (await report(ledger, method="specific"))["disposals"]
    assert [(it["lot_id"], it["cost_basis"]) for it in lines] == [
        (named[0], "500.00"), (named[1], "200.00"),
    ]  # fmt: skip
    assert (await report(ledger))["disposals"][0]["lot_id"] == lots[0]["lot_id"]
    gone = await dispose(ledger, "0.1", "fee", lots=[named[0]])
    assert (gone.status_code, gone.json()["errors"][0]["pointer"]) == (409, "/lots")
    few = await dispose(ledger, "0.6", "fee", lots=[named[1]])
    assert few.status_code == 409


async def test_a_lot_cannot_be_named_for_what_went_before_it_came(ledger: World):
    await receive(ledger, "300")
    then = ledger.clock.now().isoformat()
    ledger.clock.turn(hours=3)
    await receive(ledger, "500")
    lots = (await report(ledger, lots=True))["lots"]
    answer = await dispose(ledger, "0.5", "fee", made_at=then, lots=[lots[1]["lot_id"]])
    assert answer.status_code == 409, answer.text
    assert (await dispose(ledger, "0.5", "fee", made_at=then)).status_code == 201
    for method in ("fifo", "lifo", "hifo"):
        (line,) = (await report(ledger, method=method))["disposals"]
        assert line["lot_id"] == lots[0]["lot_id"]


async def test_beancount_accepts_books_with_disposals(ledger: World, tmp_path: Path):
    await receive(ledger, "300")
    await sell(ledger, "0.25", "80.00")
    await dispose(ledger, "0.25", "withdrawal")
    books = tmp_path / "books.beancount"
    books.write_bytes((await ledger.get("/v1/exports/beancount")).content)
    checked = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", books], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "80.00 USD" in books.read_text()


@pytest.fixture(scope="module")
def rp2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("rp2")
    with chdir(folder):
        from tests.billing import rp2_engine

        configuration = rp2_engine.configured(folder)
        yield lambda steps, method: rp2_engine.theirs(steps, method, configuration)


async def test_rp2_finds_the_same_gains_in_the_history_of_the_ledger(ledger: World, rp2: Any):
    """Receipts that were followed, disposals that were recorded: the whole way, not the lots alone."""
    random_, held = random.Random(5), 0
    steps: list[tuple[str, int, int, datetime]] = []
    prices = random_.sample(range(100, 900), 12)
    for number, price in enumerate(prices):
        ledger.clock.turn(days=random_.randrange(20, 70))
        if number % 3 == 2:
            units = random_.randrange(1, held)
            await sell(ledger, str(units), str(units * price))
            steps.append(("out", units, price, ledger.clock.now()))
            held -= units
        else:
            units = random_.randrange(2, 9)
            await receive(ledger, str(price), units * ONE_TAO)
            steps.append(("in", units, price, ledger.clock.now()))
            held += units
    for method in ("fifo", "lifo", "hifo"):
        theirs = rp2(steps, method)
        ours: list[dict[str, Any]] = []
        for year in {at.year for _, _, _, at in steps}:
            ours += (await report(ledger, method=method, year=year))["disposals"]
        assert len(ours) == len(theirs)
        assert sum(Decimal(it["gain"]) for it in ours) == sum(gain for *_, gain, _ in theirs)
        long = sum(Decimal(it["gain"]) for it in ours if it["term"] == "long")
        assert long == sum(gain for *_, gain, is_long in theirs if is_long)
    average = Decimal(0)
    for year in {at.year for _, _, _, at in steps}:
        lines = (await report(ledger, method="average", year=year))["disposals"]
        average += sum(Decimal(it["gain"]) for it in lines)
    assert average == Decimal((await valuation(ledger))["realised_gains"])
    assert timedelta(days=365) < steps[-1][3] - steps[0][3]
