"""Invoices through the API: drafted, made final, paid in every way, and corrected."""

from __future__ import annotations

from typing import Any

import pytest

from flamewire_ledger.commands import payment as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.invoice_payments import InvoicePayments
from flamewire_ledger.processes.reaction import Reactions, Task
from flamewire_ledger.processes.reversal import Reversal
from flamewire_ledger.processes.settlement import Settlement
from tests.api.invoices import issue
from tests.api.world import World

PATH = "/v1/invoices"
BREAD = {"description": "Bread", "quantity": "3", "unit_price": "3.50", "tax_rate": "7"}
DRAFT = {
    "customer": {"name": "Ada", "email": "ada@example.com"},
    "currency": "EUR",
    "lines": [BREAD],
    "due_days": 10,
}


async def made(ledger: World, body: dict[str, Any] = DRAFT) -> dict[str, Any]:
    answer = await ledger.post(PATH, body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def done(ledger: World, path: str, body: Any = None) -> dict[str, Any]:
    answer = await ledger.post(f"{PATH}/{path}", body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def opened(ledger: World, body: dict[str, Any] = DRAFT) -> dict[str, Any]:
    draft = await made(ledger, body)
    return await done(ledger, f"{draft['id']}/finalize")


async def looked_at(ledger: World, invoice_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await ledger.get(f"{PATH}/{invoice_id}")).json()
    return found


async def react(ledger: World) -> None:
    """What the reactor does, over all events there are."""
    reactions = Reactions(ledger.store, ledger.codec, ledger.writer)
    for process in (Settlement(), Reversal(), InvoicePayments()):
        tasks = [Task(process, it) for it in await ledger.events() if it.type in process.reads]
        assert (await reactions.react(0, tasks)).failures == ()


async def succeed(ledger: World, intent: dict[str, Any]) -> None:
    """A payer pays the first way there is, and the chain makes it final."""
    transfer, now = transfer_of(intent), ledger.clock.now()
    command = ConfirmTransfer(intent["id"], transfer, Block(1, "0xb", now), 3, now, now)
    await tell(ledger, command, "confirm")


async def take_back(ledger: World, intent: dict[str, Any]) -> None:
    """The chain takes back what was final."""
    command = DropTransfer(intent["id"], transfer_of(intent), ledger.clock.now())
    await tell(ledger, command, "drop")


async def tell(ledger: World, command: ConfirmTransfer | DropTransfer, name: str) -> None:
    origin = Origin(command_id(name, command.payment_id), ledger.merchant_id, "watcher:test")
    assert isinstance(await ledger.writer.submit(commands.envelope(origin, command)), Done)


def transfer_of(intent: dict[str, Any]) -> Transfer:
    option = intent["payment_options"][0]
    decimals = len(option["amount"].partition(".")[2])
    asset = Asset(f"{option['network']}:{option['asset']}", decimals)
    amount = Amount(asset, int(option["amount_minor"]))
    return Transfer(option["network"], f"0x{intent['id']}", 0, option["address"], amount)


async def balances(ledger: World) -> dict[tuple[str, str], str]:
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)
    listed = (await ledger.get("/v1/balances", limit=100)).json()["data"]
    return {(it["account"], it["asset"]): it["balance"] for it in listed if float(it["balance"])}


async def test_a_draft_shows_what_it_adds_up_to_and_has_no_number(ledger: World) -> None:
    draft = await made(ledger)
    assert (draft["status"], draft["number"], draft["due_at"]) == ("draft", None, None)
    assert (draft["net"], draft["tax"], draft["total"]) == ("10.50", "0.74", "11.24")
    assert draft["taxes"] == [
        {"rate": "7", "net": "10.50", "net_minor": "1050", "tax": "0.74", "tax_minor": "74"}
    ]


@pytest.mark.parametrize(
    "step", ["draft", "lines", "final", "paid", "void", "given up", "credited"]
)
async def test_what_a_command_answers_is_what_is_read(ledger: World, step: str) -> None:
    answer = await made(ledger)
    path = answer["id"]
    if step == "lines":
        answer = await done(
            ledger, f"{path}/lines", {"lines": [BREAD, {**BREAD, "tax_rate": "19"}]}
        )
    elif step != "draft":
        answer = await done(ledger, f"{path}/finalize")
    if step == "paid":
        body = {"out_of_band": True, "reason": "cash"}
        answer = (await done(ledger, f"{path}/pay", body))["invoice"] | {"position": None}
    elif step == "void":
        answer = await done(ledger, f"{path}/void", {"reason": "a mistake"})
    elif step == "given up":
        answer = await done(ledger, f"{path}/mark_uncollectible", {"reason": "gone"})
    elif step == "credited":
        note = await done(ledger, f"{path}/credit_notes", {"reason": "stale"})
        read = (await ledger.get(f"/v1/credit_notes/{note['id']}")).json()
        assert read == {**note, "position": read["position"]}  # the invoice is paid behind it
        listed = (await ledger.get("/v1/credit_notes", invoice_id=path)).json()
        assert listed["data"] == [read]
        return
    read = await looked_at(ledger, path)
    if step == "paid":
        read["position"] = None
    assert read == answer


async def test_numbers_follow_each_other_with_receipts_among_them(ledger: World) -> None:
    first = await opened(ledger)
    receipt = await issue(ledger)
    second = await opened(ledger)
    numbers = [first["number"], (await looked_at(ledger, receipt))["number"], second["number"]]
    assert numbers == ["2026-000001", "2026-000002", "2026-000003"]


async def test_the_seller_is_who_it_was_when_the_invoice_became_final(ledger: World) -> None:
    before = await opened(ledger)
    seller = {"name": "Bakery Ltd", "tax_id": "DE123456789"}
    assert (await ledger.post("/v1/seller", seller)).json()["name"] == "Bakery Ltd"
    after = await opened(ledger)
    assert (before["seller"]["name"], after["seller"]["name"]) == ("shop", "Bakery Ltd")
    assert (await ledger.get("/v1/seller")).json()["tax_id"] == "DE123456789"
    assert (await looked_at(ledger, before["id"]))["seller"]["name"] == "shop"


async def test_a_payment_intent_is_made_once_and_found_again(ledger: World) -> None:
    invoice = await opened(ledger)
    first = await done(ledger, f"{invoice['id']}/pay", {})
    again = await done(ledger, f"{invoice['id']}/pay", {})
    assert first["payment_intent"]["invoice_id"] == invoice["id"]
    assert first["payment_intent"]["amount"] == "11.24"
    assert again["payment_intent"]["id"] == first["payment_intent"]["id"]
    ledger.clock.turn(hours=1)
    later = await done(ledger, f"{invoice['id']}/pay", {})
    assert later["payment_intent"]["id"] != first["payment_intent"]["id"]


async def test_who_names_a_way_to_pay_finds_the_intent_that_offers_this_one(ledger: World) -> None:
    invoice = await opened(ledger)
    ether = {"network": "ethereum", "asset": "ETH"}

    async def asked(body: dict[str, Any]) -> str:
        found: str = (await done(ledger, f"{invoice['id']}/pay", body))["payment_intent"]["id"]
        return found

    of_one_way = await asked({"pay_with": [ether]})
    of_a_network = await asked({"network": "ethereum"})
    assert of_a_network != of_one_way  # tokens of this network would be missing
    assert await asked({"network": "ethereum"}) == of_a_network
    assert await asked({"pay_with": [ether]}) == of_one_way
    assert await asked({"pay_with": [ether, {"network": "sui", "asset": "SUI"}]}) not in {
        of_one_way,
        of_a_network,
    }


async def test_who_names_a_network_finds_the_intent_though_not_all_of_it_had_a_price(
    ledger: World,
) -> None:
    invoice = await opened(ledger)
    del ledger.quotes["ETH"]
    first = (await done(ledger, f"{invoice['id']}/pay", {"network": "ethereum"}))["payment_intent"]
    assert [it["asset"] for it in first["payment_options"]] == ["USDC"]
    again = (await done(ledger, f"{invoice['id']}/pay", {"network": "ethereum"}))["payment_intent"]
    assert again["id"] == first["id"]


async def test_a_payment_that_succeeds_pays_the_invoice_and_issues_no_receipt(
    ledger: World,
) -> None:
    invoice = await opened(ledger)
    intent = (await done(ledger, f"{invoice['id']}/pay", {}))["payment_intent"]
    await succeed(ledger, intent)
    await react(ledger)
    read = await looked_at(ledger, invoice["id"])
    assert (read["status"], read["amount_paid"], read["amount_due"]) == ("paid", "11.24", "0.00")
    assert read["settled_with"][0]["price"] is not None
    assert read["settled_with"][0]["sources"] == ["one", "two"]
    assert [it["payment_intent_id"] for it in read["payments"]] == [intent["id"]]
    assert [it["confirmed"] for it in read["payment_intents"]] == ["11.24"]
    assert (await ledger.get(PATH)).json()["data"][0]["id"] == invoice["id"]
    assert len((await ledger.get(PATH)).json()["data"]) == 1
    books = await balances(ledger)
    assert books["income:sales", "EUR"] == "10.50"
    assert books["liabilities:tax", "EUR"] == "0.74"
    assert [asset for account, asset in books if account == "income:sales"] == ["EUR"]
    assert [account for account, _ in books if account == "assets:receivable"] == []


async def test_an_invoice_paid_twice_leaves_the_second_payment_to_the_customer(
    ledger: World,
) -> None:
    invoice = await opened(ledger)
    first = (await done(ledger, f"{invoice['id']}/pay", {}))["payment_intent"]
    body = {"network": "bittensor"}
    second = (await done(ledger, f"{invoice['id']}/pay", body))["payment_intent"]
    await succeed(ledger, first)
    await succeed(ledger, second)
    await react(ledger)
    read = await looked_at(ledger, invoice["id"])
    assert (read["status"], read["amount_paid"], len(read["payments"])) == ("paid", "11.24", 1)
    twice = (await ledger.get(f"/v1/payment_intents/{second['id']}")).json()
    assert (twice["status"], twice["amounts"]["excess"]) == ("succeeded", "11.24")
    books = await balances(ledger)
    assert any(account == "liabilities:customer_unapplied" for account, _ in books)
    refund = {"choice": "refund", "reason": "paid twice"}
    answer = await ledger.post(f"/v1/payment_intents/{second['id']}/resolve", refund)
    assert answer.status_code == 200, answer.text
    books = await balances(ledger)
    assert not any(account == "liabilities:customer_unapplied" for account, _ in books)


async def test_what_a_chain_takes_back_is_due_again_and_nothing_stands_in_conversion(
    ledger: World,
) -> None:
    invoice = await opened(ledger)
    due = await balances(ledger)
    intent = (await done(ledger, f"{invoice['id']}/pay", {}))["payment_intent"]
    await succeed(ledger, intent)
    await react(ledger)
    await take_back(ledger, intent)
    await react(ledger)
    read = await looked_at(ledger, invoice["id"])
    assert (read["status"], read["amount_due"], read["paid_at"]) == ("open", "11.24", None)
    assert read["payments"] == read["settled_with"] == []
    assert await balances(ledger) == due


async def test_a_second_payment_that_a_chain_takes_back_leaves_the_invoice_paid(
    ledger: World,
) -> None:
    invoice = await opened(ledger)
    first = (await done(ledger, f"{invoice['id']}/pay", {}))["payment_intent"]
    body = {"network": "bittensor"}
    second = (await done(ledger, f"{invoice['id']}/pay", body))["payment_intent"]
    await succeed(ledger, first)
    await react(ledger)
    paid = await balances(ledger)
    await succeed(ledger, second)
    await react(ledger)
    await take_back(ledger, second)
    await react(ledger)
    assert (await looked_at(ledger, invoice["id"]))["status"] == "paid"
    assert await balances(ledger) == paid


async def test_it_is_paid_in_parts(ledger: World) -> None:
    invoice = await opened(ledger)
    part = (await done(ledger, f"{invoice['id']}/pay", {"amount": "4.00"}))["payment_intent"]
    await succeed(ledger, part)
    await react(ledger)
    read = await looked_at(ledger, invoice["id"])
    assert (read["status"], read["amount_due"]) == ("open", "7.24")
    rest = await done(ledger, f"{invoice['id']}/pay", {})
    assert rest["payment_intent"]["amount"] == "7.24"


async def test_what_is_open_behind_its_due_date_is_overdue(ledger: World) -> None:
    late = await opened(ledger)
    ledger.clock.turn(days=11)
    await opened(ledger)
    overdue = (await ledger.get(PATH, overdue=True)).json()["data"]
    assert [(it["id"], it["is_overdue"]) for it in overdue] == [(late["id"], True)]


async def test_prices_may_include_tax_and_be_finer_than_the_currency(ledger: World) -> None:
    line = {
        "description": "Calls",
        "quantity": "1000001",
        "unit_price": "0.000019",
        "tax_rate": "19",
    }
    draft = await made(ledger, {**DRAFT, "prices_include_tax": True, "lines": [line]})
    assert (draft["net"], draft["tax"], draft["total"]) == ("15.97", "3.04", "19.01")
    assert draft["lines"][0]["unit_price_minor"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"currency": "XXX"}, "/currency"),
        ({"customer": {}}, "/customer"),
        ({"customer": {"credit_account_id": "ca_1"}}, "/customer/credit_account_id"),
        ({"lines": [{"description": "Bread"}]}, "/lines/0"),
        ({"lines": [{"description": "Bread", "amount": "1.001"}]}, "/lines/0/amount"),
        ({"lines": [{**BREAD, "quantity": "1e5"}]}, "/lines/0/quantity"),
        ({"lines": [{**BREAD, "tax_rate": "1001"}]}, "/tax_rate"),
        ({"due_days": -1}, "/due_days"),
        ({"customer": {"name": "Ada", "email": "a\nb@c"}}, "/customer/email"),
    ],
)
async def test_a_draft_that_is_none_is_refused_where_it_is_wrong(
    ledger: World, change: dict[str, Any], pointer: str
) -> None:
    answer = await ledger.post(PATH, {**DRAFT, **change})
    assert answer.status_code in (404, 422), answer.text
    assert [it["pointer"] for it in answer.json().get("errors", [])] == [pointer]


async def test_a_receipt_is_not_changed_by_hand(ledger: World) -> None:
    receipt = await issue(ledger)
    for path, body in [("void", {"reason": "x"}), ("credit_notes", {"reason": "x"}), ("pay", {})]:
        answer = await ledger.post(f"{PATH}/{receipt}/{path}", body)
        assert answer.status_code == 409, answer.text


async def test_another_merchants_invoice_is_not_there(ledger: World) -> None:
    invoice = await opened(ledger)
    other = ledger.key(await ledger.merchant("other"))
    assert (await ledger.get(f"{PATH}/{invoice['id']}", key=other)).status_code == 404
    for path, body in [("finalize", None), ("void", {"reason": "x"}), ("pay", {})]:
        answer = await ledger.post(f"{PATH}/{invoice['id']}/{path}", body, key=other)
        assert answer.status_code == 404


async def test_the_same_key_drafts_one_invoice(ledger: World) -> None:
    first = await ledger.post(PATH, DRAFT, once="one")
    again = await ledger.post(PATH, DRAFT, once="one")
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await ledger.post(PATH, DRAFT, once=None)).status_code == 400
