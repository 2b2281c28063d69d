"""The report of tax lots: receipts open them at recorded worth, what leaves a wallet takes from them."""

from __future__ import annotations

from typing import Any

from flamewire_ledger.commands import payment as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    ConfirmTransfer,
    DropTransfer,
    PaymentTransferConfirmed,
)
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.exports.tax_report import COLUMNS, as_csv
from tests.api.bookkeeping import ONE_TAO, TAO, bookkeeping, sample, send
from tests.api.test_portfolio import arrive, due, intent
from tests.api.world import World


async def report(ledger: World, **query: object) -> dict[str, Any]:
    answer = await ledger.get("/v1/reports/tax_lots", **{"year": 2026, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def receive(ledger: World, dollars: str, units: int = ONE_TAO) -> None:
    """So many units that are held for a person, at the price of now."""
    made = await intent(ledger)
    ledger.clock.turn(hours=2)
    await sample(ledger, "TAO", dollars)
    await arrive(ledger, made, "bittensor", units)


async def test_a_line_says_what_form_8949_asks_for(ledger: World):
    await receive(ledger, "400")
    ledger.clock.turn(days=30)
    await sample(ledger, "TAO", "450.50")
    await send(ledger, Amount(TAO, ONE_TAO // 2))
    (line,) = (await report(ledger))["disposals"]
    assert {key: line[key] for key in COLUMNS[:7]} == {
        "description": "0.500000000 TAO",
        "date_acquired": "2026-01-31",
        "date_disposed": "2026-03-02",
        "proceeds": "225.25",
        "cost_basis": "200.00",
        "gain": "25.25",
        "term": "short",
    }
    assert (line["kind"], line["wallet"], line["asset"]) == ("refund", "bittensor", TAO.code)


async def test_the_method_decides_which_lots_go(ledger: World):
    for dollars in ("300", "500", "400"):
        await receive(ledger, dollars)
    await send(ledger, Amount(TAO, ONE_TAO))
    gains = {}
    for method in ("fifo", "lifo", "hifo", "average"):
        told = await report(ledger, method=method)
        gains[method] = told["totals"][0]["gain"]
    assert gains == {"fifo": "100.00", "lifo": "0.00", "hifo": "-100.00", "average": "0.00"}


async def test_what_is_left_is_listed_where_it_is_asked_for(ledger: World):
    await receive(ledger, "300")
    await send(ledger, Amount(TAO, ONE_TAO // 4))
    assert (await report(ledger))["lots"] is None
    (lot,) = (await report(ledger, lots=True))["lots"]
    assert (lot["amount"], lot["cost_basis"]) == ("0.750000000", "225.00")


async def test_a_payment_that_its_chain_takes_back_leaves_no_lot(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    assert len((await report(ledger, lots=True))["lots"]) == 1
    await take_back(ledger, made["id"])
    told = await report(ledger, lots=True)
    assert (told["lots"], told["disposals"]) == ([], [])


async def take_back(ledger: World, payment_id: str) -> None:
    stream = await ledger.store.read_stream(0, payment_id)
    (confirmed,) = [
        fact
        for fact in map(ledger.codec.decode, stream)
        if isinstance(fact, PaymentTransferConfirmed)
    ]
    origin = Origin(command_id("test", "back", payment_id), ledger.merchant_id, "watcher:test")
    command = DropTransfer(payment_id, confirmed.transfer, ledger.clock.now())
    assert isinstance(await ledger.writer.submit(commands.envelope(origin, command)), Done)


async def test_what_is_booked_late_came_when_its_block_was_made(ledger: World):
    made = await intent(ledger)
    ledger.clock.turn(hours=2)
    await sample(ledger, "TAO", "300")
    block = Block(7, "0xb7", ledger.clock.now())
    ledger.clock.turn(days=20)  # while nobody followed
    await sample(ledger, "TAO", "900")
    option = next(it for it in made["payment_options"] if it["network"] == "bittensor")
    transfer = Transfer("bittensor", "0xlate", 0, option["address"], Amount(TAO, ONE_TAO))
    origin = Origin(command_id("test", "late"), ledger.merchant_id, "watcher:test")
    command = ConfirmTransfer(made["id"], transfer, block, 3, block.at, ledger.clock.now())
    assert isinstance(await ledger.writer.submit(commands.envelope(origin, command)), Done)
    (lot,) = (await report(ledger, lots=True))["lots"]
    assert (lot["acquired_at"], lot["cost_basis"]) == ("2026-01-31T14:00:00Z", "300.00")


async def test_only_the_disposals_of_the_year_are_in_it(ledger: World):
    await receive(ledger, "300")
    await send(ledger, Amount(TAO, ONE_TAO // 4))
    ledger.clock.turn(days=400)
    await sample(ledger, "TAO", "300")
    await send(ledger, Amount(TAO, ONE_TAO // 4))
    (this,) = (await report(ledger))["disposals"]
    (next_,) = (await report(ledger, year=2027))["disposals"]
    assert (this["term"], next_["term"]) == ("short", "long")
    assert this["lot_id"] == next_["lot_id"]


async def test_what_has_no_recorded_price_is_in_no_sum(ledger: World):
    await receive(ledger, "300")
    ledger.clock.turn(days=3)
    await send(ledger, Amount(TAO, ONE_TAO))
    told = await report(ledger)
    assert told["is_partial"]
    (line,) = told["disposals"]
    assert (line["proceeds"], line["gain"], line["cost_basis"]) == (None, None, "300.00")
    assert told["totals"][0]["gain"] == "0.00"


async def test_it_says_that_it_is_no_advice_and_reads_as_csv(ledger: World):
    await bookkeeping(ledger)
    told = await report(ledger)
    assert "no tax advice" in told["notice"]
    lines = as_csv(told).splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == len(told["disposals"]) + 2
    answer = await ledger.get("/v1/reports/tax_lots.csv", year=2026)
    assert answer.text == as_csv(told)


async def test_the_same_position_gives_the_same_report(ledger: World):
    sent = (await bookkeeping(ledger))["sent"]
    before = await report(ledger, as_of=sent, lots=True)
    await bookkeeping(ledger)
    assert await report(ledger, as_of=sent, lots=True) == before
    assert before["as_of"] == sent


async def test_the_cost_of_a_payment_is_what_it_was_locked_at(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "ethereum", due(made, "ethereum"))
    (lot,) = (await report(ledger, lots=True))["lots"]
    assert (lot["cost_basis"], lot["wallet"]) == ("25.00", "ethereum")
