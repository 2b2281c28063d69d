"""Reading: positions, moments, books, events, and what is not there yet."""

from __future__ import annotations

from typing import Any

import pytest

from flamewire_ledger.commands import payment as payment_commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import ConfirmTransfer, RecordTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.api.invoices import issue
from tests.api.world import World

ORDER = {"amount": "25.00", "currency": "USD", "reference": "order-17"}


async def intent(ledger: World, **given: object) -> dict[str, Any]:
    response = await ledger.post("/v1/payment_intents", {**ORDER, **given})
    assert response.status_code == 201, response.text
    return response.json()


async def pay(ledger: World, made: dict[str, Any], *, parts: int = 1, of: int = 1) -> int:
    """The first option's due (or a part of it) arrives and is final; the last position."""
    option = made["payment_options"][0]
    asset = Asset(f"{option['network']}:{option['asset']}", 9)
    units = int(option["amount_minor"]) * parts // of
    name = f"0x{parts}{made['id']}"
    transfer = Transfer(option["network"], name, 0, option["address"], Amount(asset, units))
    now = ledger.clock.now()
    block = Block(7, "0xb7", now)
    position = 0
    for step, command in (
        ("seen", RecordTransfer(made["id"], transfer, block, now)),
        ("final", ConfirmTransfer(made["id"], transfer, block, 3, now, now)),
    ):
        origin = Origin(command_id("test", name, step), ledger.merchant_id, "watcher:test")
        outcome = await ledger.writer.submit(payment_commands.envelope(origin, command))
        assert isinstance(outcome, Done)
        position = outcome.position
    return position


async def test_a_paid_intent_shows_its_transfer(ledger: World):
    made = await intent(ledger)
    position = await pay(ledger, made)
    read = (await ledger.get(f"/v1/payment_intents/{made['id']}", min_position=position)).json()
    assert read["status"] == "succeeded"
    assert read["amounts"]["confirmed"] == "25.00"
    (transfer,) = read["transfers"]
    assert (transfer["status"], transfer["confirmations"], transfer["amount"]) == (
        "confirmed",
        3,
        made["payment_options"][0]["amount"],
    )


async def test_a_resolution_is_answered_as_it_is_read(ledger: World):
    made = await intent(ledger)
    ledger.clock.turn(seconds=901)
    position = await pay(ledger, made)  # late, so it is held
    held = await ledger.get(f"/v1/payment_intents/{made['id']}", min_position=position)
    assert held.json()["status"] == "requires_action"
    resolved = await ledger.post(
        f"/v1/payment_intents/{made['id']}/resolve",
        {"choice": "accept", "reason": "they called us"},
    )
    assert resolved.status_code == 200, resolved.text
    assert "manual" in resolved.json()["labels"]
    read = await ledger.get(f"/v1/payment_intents/{made['id']}")
    assert read.json() == resolved.json()


async def test_books_balance_and_say_what_is_where(ledger: World):
    position = await pay(ledger, await intent(ledger))
    balances = (await ledger.get("/v1/balances", min_position=position)).json()["data"]
    wallet = next(it for it in balances if it["account"] == "assets:wallet:bittensor")
    assert (wallet["balance"], wallet["normal_side"]) == ("0.060606061", "debit")
    sales = next(it for it in balances if it["account"] == "income:sales")
    assert (sales["balance"], sales["normal_side"]) == ("0.060606061", "credit")
    trial = (await ledger.get("/v1/ledger/trial_balance", min_position=position)).json()
    assert trial["is_balanced"] is True
    assert trial["lines"][0]["debits"] == trial["lines"][0]["credits"] != "0.000000000"


async def test_no_account_of_credits_has_less_than_nothing(ledger: World):
    account = (await ledger.post("/v1/credit_accounts", {}, once=None)).json()["id"]
    path = f"/v1/credit_accounts/{account}"
    await ledger.post(f"{path}/grants", {"amount": "10", "source": "granted"})
    await ledger.post(f"{path}/consume", {"amount": "3"})
    await ledger.post(f"{path}/holds", {"amount": "2"})
    rows = (await ledger.get("/v1/balances", account="credits:")).json()["data"]
    shown = {it["account"]: (it["balance"], it["normal_side"]) for it in rows}
    assert shown == {
        f"credits:available:{account}": ("5.000000", "debit"),
        "credits:consumed": ("3.000000", "debit"),
        f"credits:held:{account}": ("2.000000", "debit"),
        "credits:issued": ("10.000000", "credit"),
    }


async def test_books_are_shown_as_they_were(ledger: World):
    first = await pay(ledger, await intent(ledger))
    ledger.clock.turn(seconds=60)
    between = ledger.clock.now()
    ledger.clock.turn(seconds=60)
    last = await pay(ledger, await intent(ledger))

    async def wallet(**query: object) -> str:
        response = await ledger.get("/v1/balances", account="assets:", **query)
        return response.json()["data"][0]["balance"]

    assert await wallet(min_position=last) == "0.121212122"
    assert await wallet(as_of=first) == "0.060606061"
    assert await wallet(as_of=between.isoformat()) == "0.060606061"
    trial = (await ledger.get("/v1/ledger/trial_balance", as_of=first)).json()
    assert (trial["as_of"], trial["lines"][0]["debits"]) == (first, "0.121212122")


@pytest.mark.parametrize("path", ["/v1/balances", "/v1/ledger/trial_balance", "/v1/ledger/entries"])
@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        ("999999", "position_unknown"),
        ("9" * 30, "position_unknown"),
        ("0", "position_unknown"),
        ("2100-01-01T00:00:00Z", "position_unknown"),
        ("1999-01-01T00:00:00Z", "position_unknown"),
        ("yesterday", "invalid_parameter"),
        ("2026-02-31T00:00:00Z", "invalid_parameter"),
        ("2026-01-31", "invalid_parameter"),
        ("-1", "invalid_parameter"),
        ("", "invalid_parameter"),
    ],
)
async def test_a_moment_that_never_was_is_no_empty_answer(
    door: World, path: str, as_of: str, code: str
):
    response = await door.get(path, as_of=as_of)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["errors"][0]["parameter"] == "as_of"


async def test_entries_are_pages_and_can_be_narrowed(ledger: World):
    made = await intent(ledger)
    position = await pay(ledger, made)
    everything = (await ledger.get("/v1/ledger/entries", min_position=position)).json()["data"]
    assert [it["debit"] for it in everything] == [
        "liabilities:customer_unapplied",
        "assets:wallet:bittensor",
    ]
    page = (await ledger.get("/v1/ledger/entries", limit=1)).json()
    assert page["has_more"] is True
    rest = await ledger.get("/v1/ledger/entries", starting_after=page["data"][0]["id"])
    assert rest.json()["data"] == everything[1:]
    narrowed = await ledger.get("/v1/ledger/entries", account="income:sales")
    assert narrowed.json()["data"] == everything[:1]
    assert len((await ledger.get("/v1/ledger/entries", stream_id=made["id"])).json()["data"]) == 2
    assert (await ledger.get("/v1/ledger/entries", starting_after="x")).status_code == 422


async def test_balances_are_pages(ledger: World):
    position = await pay(ledger, await intent(ledger))
    first = (await ledger.get("/v1/balances", limit=1, min_position=position)).json()
    rest = (await ledger.get("/v1/balances", starting_after=first["data"][0]["id"])).json()
    whole = (await ledger.get("/v1/balances")).json()["data"]
    assert [*first["data"], *rest["data"]] == whole
    for then in ({}, {"as_of": position}):
        query = {"ending_before": whole[2]["id"], "limit": 1, **then}
        back = (await ledger.get("/v1/balances", **query)).json()
        assert (back["data"], back["has_more"]) == (whole[1:2], True)
        query = {"ending_before": whole[2]["id"], **then}
        back = (await ledger.get("/v1/balances", **query)).json()
        assert (back["data"], back["has_more"]) == (whole[:2], False)
    assert (await ledger.get("/v1/balances", starting_after="x")).status_code == 422


async def test_events_are_ones_own_in_order_and_without_what_recognises_keys(ledger: World):
    made = await intent(ledger)
    stranger = await ledger.merchant("other")
    await ledger.post("/v1/api_keys", {"name": "second", "scopes": ["events:read"]})
    body = (await ledger.get("/v1/events")).json()
    positions = [it["position"] for it in body["data"]]
    assert positions == sorted(positions)
    assert {it["metadata"]["merchant_id"] for it in body["data"]} == {ledger.merchant_id}
    assert "secret_sha256" not in str(body)
    assert body["has_more"] is False

    requested = (await ledger.get("/v1/events", type="payment.requested.v1")).json()["data"]
    assert [it["data"]["payment_id"] for it in requested] == [made["id"]]
    in_any_version = await ledger.get("/v1/events", type="payment.requested")
    assert in_any_version.json()["data"] == requested
    page = (await ledger.get("/v1/events", limit=2)).json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    rest = (await ledger.get("/v1/events", after=page["next_after"])).json()["data"]
    assert [*page["data"], *rest] == body["data"]
    theirs = (await ledger.get("/v1/events", key=ledger.key(stranger))).json()["data"]
    assert [it["type"] for it in theirs] == ["merchant.registered.v1"]


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/events", "/v1/balances"])
async def test_a_position_that_is_not_reached_is_503(ledger: World, path: str):
    response = await ledger.get(path, min_position=10_000)
    assert (response.status_code, response.json()["code"]) == (503, "projection_behind")
    assert response.headers["retry-after"]


async def test_nothing_is_called_missing_by_a_read_model_that_is_behind(ledger: World):
    ledger.reads.is_asleep = True
    made = await intent(ledger)
    path = f"/v1/payment_intents/{made['id']}"
    assert (await ledger.get(path)).json()["code"] == "projection_behind"
    ledger.reads.is_asleep = False
    assert (await ledger.get(path)).status_code == 200


async def test_what_a_failover_took_is_waited_for_once(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    """Else each answer to this merchant came late until the log has come as far again."""
    kept = await intent(ledger)
    await intent(ledger)
    (partition,) = ledger.store._partitions
    told = len(partition.events)
    del partition.events[-1:]
    waited: list[int] = []
    wait_for = ledger.reads.wait_for

    async def watched(partition: int, position: int, *rest: Any) -> bool:
        waited.append(position)
        return bool(await wait_for(partition, position, *rest))

    monkeypatch.setattr(ledger.reads, "wait_for", watched)
    for _ in range(3):
        assert (await ledger.get(f"/v1/payment_intents/{kept['id']}")).status_code == 200
    assert waited == [told, told - 1, told - 1]


async def test_an_invoice_is_read_and_printed(ledger: World):
    invoice_id = await issue(ledger)
    invoice = (await ledger.get(f"/v1/invoices/{invoice_id}")).json()
    assert (invoice["number"], invoice["total"], invoice["status"]) == (
        "2026-000001",
        "25.00",
        "paid",
    )
    listed = (await ledger.get("/v1/invoices")).json()["data"]
    assert listed == [invoice]
    pdf = await ledger.get(f"/v1/invoices/{invoice_id}.pdf")
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    again = await ledger.get(f"/v1/invoices/{invoice_id}.pdf")
    assert again.content == pdf.content
    missing = await ledger.get("/v1/invoices/inv_01kg9ys7g0ev9sbv73a4ec6efj.pdf")
    assert missing.status_code == 404
    stranger = ledger.key(await ledger.merchant("other"))
    assert (await ledger.get(f"/v1/invoices/{invoice_id}.pdf", key=stranger)).status_code == 404
