"""Payment intents over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.api.world import World

ORDER = {"amount": "25.00", "currency": "USD", "reference": "order-17"}


async def intent(ledger: World, **given: object) -> dict:
    response = await ledger.post("/v1/payment_intents", {**ORDER, **given})
    assert response.status_code == 201, response.text
    return response.json()


async def account(ledger: World) -> dict:
    response = await ledger.post("/v1/credit_accounts", {"external_id": "customer-1"})
    assert response.status_code == 201, response.text
    return response.json()


async def test_a_fresh_intent_is_answered_as_it_is_read(ledger: World):
    created = await ledger.post(
        "/v1/payment_intents",
        {
            **ORDER,
            "metadata": {"colour": "blüe"},
            "tolerance": "0.01",
            "credit_account_id": (await account(ledger))["id"],
        },
    )
    read = await ledger.get(f"/v1/payment_intents/{created.json()['id']}")
    assert read.status_code == 200
    assert read.json() == created.json()
    assert created.headers["x-ledger-position"] == str(created.json()["position"])
    assert created.json()["credits"] == "25.000000"
    assert created.json()["tolerance"] == "0.01"


async def test_every_way_to_pay_has_its_due_rounded_up(door: World):
    options = (await intent(door))["payment_options"]
    assert {(it["network"], it["asset"]): it["amount"] for it in options} == {
        ("bittensor", "TAO"): "0.060606061",
        ("ethereum", "ETH"): "0.007812500000000000",
        ("ethereum", "USDC"): "25.000000",
        ("sui", "SUI"): "7.812500000",
        ("sui", "USDC"): "25.000000",
    }
    assert all(it["price_lock_id"].startswith("pl_") for it in options)


async def test_assets_of_one_network_share_an_address_and_networks_do_not(door: World):
    first, second = await intent(door), await intent(door)
    by_network: dict[str, set[str]] = {}
    for it in (*first["payment_options"], *second["payment_options"]):
        by_network.setdefault(it["network"], set()).add(it["address"])
    assert {network: len(found) for network, found in by_network.items()} == {
        "bittensor": 2,
        "ethereum": 2,
        "sui": 2,
    }


async def test_each_lock_is_recorded_with_its_intent(door: World):
    await intent(door, pay_with=[{"network": "bittensor", "asset": "TAO"}])
    assert await door.types() == ["price_lock.locked.v1", "payment.requested.v1"]


async def test_an_amount_in_the_asset_itself_needs_no_lock(door: World):
    made = await intent(door, amount="100.00", currency="TAO", network="bittensor")
    (option,) = made["payment_options"]
    assert option["amount"] == "100.000000000"
    assert option["price_lock_id"] is None
    assert made["currency_asset_id"] == option["asset_id"]
    assert await door.types() == ["payment.requested.v1"]


async def test_the_same_symbol_on_another_network_is_worth_the_same(door: World):
    made = await intent(
        door, currency="ethereum:USDC", pay_with=[{"network": "sui", "asset": "USDC"}]
    )
    (option,) = made["payment_options"]
    assert (option["amount"], option["price_lock_id"]) == ("25.000000", None)


async def test_names_may_be_caip_ids(door: World):
    first = (await intent(door))["payment_options"][0]
    made = await intent(door, pay_with=[{"network": first["chain_id"], "asset": first["asset_id"]}])
    assert [it["asset"] for it in made["payment_options"]] == ["TAO"]
    assert (await intent(door, currency=first["asset_id"]))["currency"] == "TAO"


@pytest.mark.parametrize(
    ("amount", "currency", "bought"),
    [
        ("25.00", "USD", "25.000000"),
        ("25", "EUR", "27.000000"),
        ("0.000000005", "TAO", "0.000002"),
        ("7", "CREDIT", "7.000000"),
        ("100", "JPY", "0.670000"),
    ],
)
async def test_credits_are_worth_their_dollars_rounded_down(
    door: World, amount: str, currency: str, bought: str
):
    owner = (await account(door))["id"]
    made = await intent(door, amount=amount, currency=currency, credit_account_id=owner)
    assert made["credits"] == bought


async def test_what_would_buy_no_credits_is_refused(door: World):
    response = await door.post(
        "/v1/payment_intents",
        {
            "amount": "0.000000001",
            "currency": "SUI",
            "credit_account_id": (await account(door))["id"],
        },
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/amount"


async def test_a_lock_made_before_is_used_once_and_ends_the_intent(door: World):
    lock = (await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"})).json()
    door.clock.turn(seconds=300)
    made = await intent(door, price_lock_id=lock["id"])
    assert [it["price_lock_id"] for it in made["payment_options"]] == [lock["id"]]
    assert made["expires_at"] == lock["expires_at"]

    again = await door.post("/v1/payment_intents", {**ORDER, "price_lock_id": lock["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "price_lock_used")

    late = (await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"})).json()
    door.clock.turn(seconds=901)
    response = await door.post("/v1/payment_intents", {**ORDER, "price_lock_id": late["id"]})
    assert (response.status_code, response.json()["code"]) == (409, "price_lock_expired")


@pytest.mark.parametrize(
    "given",
    [
        {"currency": "EUR"},
        {"network": "sui"},
        {"pay_with": [{"network": "ethereum", "asset": "ETH"}]},
        {
            "pay_with": [
                {"network": "bittensor", "asset": "TAO"},
                {"network": "ethereum", "asset": "ETH"},
            ]
        },
    ],
)
async def test_a_lock_has_to_be_for_what_is_asked(door: World, given: dict):
    lock = (await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"})).json()
    response = await door.post(
        "/v1/payment_intents", {**ORDER, "price_lock_id": lock["id"], **given}
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/price_lock_id"
    assert await door.types() == ["price_lock.locked.v1"]


async def test_an_address_of_the_merchant_serves_one_intent(ledger: World):
    address = ledger.chains[1].deposit(999).address
    other = ledger.chains[1].deposit(998).address
    given = {**ORDER, "network": "ethereum", "recipient": address.lower()}
    made = await ledger.post("/v1/payment_intents", given, once="a")
    assert made.status_code == 201
    assert {it["address"] for it in made.json()["payment_options"]} == {address}

    repeat = await ledger.post("/v1/payment_intents", given, once="a")
    assert repeat.content == made.content
    second = await ledger.post("/v1/payment_intents", given, once="b")
    assert second.status_code == 409
    assert second.json()["errors"][0]["pointer"] == "/recipient"
    third = await ledger.post("/v1/payment_intents", {**given, "recipient": other}, once="c")
    assert third.status_code == 201


async def test_an_address_made_for_another_intent_is_nobodys_recipient(ledger: World):
    made = await intent(ledger, network="ethereum")
    address = made["payment_options"][0]["address"]
    response = await ledger.post(
        "/v1/payment_intents", {**ORDER, "network": "ethereum", "recipient": address}
    )
    assert response.status_code == 409
    assert response.json()["errors"][0]["pointer"] == "/recipient"


class Twin:
    """Another network with the same addresses, as every EVM network has."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain
        self.network = replace(chain.network, name="twin", chain_id="sandbox:twin")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


async def test_a_recipient_is_one_intents_on_all_networks_that_have_its_address(ledger: World):
    ledger.chains.append(Twin(ledger.chains[1]))
    address = ledger.chains[1].deposit(997).address
    given = {**ORDER, "recipient": address}
    first = await ledger.post("/v1/payment_intents", {**given, "network": "ethereum"})
    assert first.status_code == 201
    second = await ledger.post("/v1/payment_intents", {**given, "network": "twin"})
    assert second.status_code == 409


@pytest.mark.parametrize(
    ("network", "recipient"),
    [
        ("ethereum", "0x39451c55947C20066c04Db1eB2E6f5B97aEc9ffa"),  # one letter's case
        ("ethereum", "5GxK1u9iU8oPUaNz9AVRXuXKusqPoU5WGutgogkuVFo6JZ8V"),
        ("bittensor", "5GxK1u9iU8oPUaNz9AVRXuXKusqPoU5WGutgogkuVFo6JZ8W"),  # checksum
        ("bittensor", "0x39451c55947C20066c04Db1eB2E6f5B97aEc9fFa"),
        ("sui", "0x39451c55947C20066c04Db1eB2E6f5B97aEc9fFa\u0000"),
        ("sui", "nonsense"),
        ("ethereum", "0x" + "0" * 40),  # what is sent there is lost
        ("bittensor", "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"),
        (None, "0x39451c55947C20066c04Db1eB2E6f5B97aEc9fFa"),
    ],
)
async def test_an_address_that_is_none_there_is_refused(
    door: World, network: str | None, recipient: str
):
    response = await door.post(
        "/v1/payment_intents", {**ORDER, "network": network, "recipient": recipient}
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/recipient"
    assert await door.types() == []


async def test_an_intent_nobody_pays_can_be_canceled_once(ledger: World):
    made = await intent(ledger)
    canceled = await ledger.post(f"/v1/payment_intents/{made['id']}/cancel", {}, once=None)
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    read = await ledger.get(f"/v1/payment_intents/{made['id']}")
    assert read.json() == canceled.json()


async def test_nothing_is_to_be_resolved_where_nothing_is_held(ledger: World):
    made = await intent(ledger)
    response = await ledger.post(
        f"/v1/payment_intents/{made['id']}/resolve", {"choice": "refund", "reason": "asked"}
    )
    assert (response.status_code, response.json()["code"]) == (409, "not_allowed")


async def test_lists_are_pages_newest_first(ledger: World):
    ids = []
    for number in range(5):
        ledger.clock.turn(seconds=1)
        ids.append((await intent(ledger, reference=f"order-{number}"))["id"])
    ids.reverse()

    async def page(**query: object) -> tuple[list[str], bool]:
        body = (await ledger.get("/v1/payment_intents", **query)).json()
        return [it["id"] for it in body["data"]], body["has_more"]

    assert await page(limit=2) == (ids[:2], True)
    assert await page(limit=2, starting_after=ids[1]) == (ids[2:4], True)
    assert await page(limit=2, starting_after=ids[3]) == (ids[4:], False)
    assert await page(limit=2, ending_before=ids[3]) == (ids[1:3], True)
    assert await page(reference="order-3") == ([ids[1]], False)
    assert await page(status="canceled") == ([], False)


async def test_another_merchants_intent_is_not_there(ledger: World):
    made = await intent(ledger)
    stranger = ledger.key(await ledger.merchant("other"))
    path = f"/v1/payment_intents/{made['id']}"
    assert (await ledger.get(path, key=stranger)).status_code == 404
    assert (await ledger.post(f"{path}/cancel", {}, key=stranger)).status_code == 404
    body = {"choice": "refund", "reason": "mine"}
    assert (await ledger.post(f"{path}/resolve", body, key=stranger)).status_code == 404
    assert (await ledger.get("/v1/payment_intents", key=stranger)).json()["data"] == []
    types = await ledger.types()
    assert "payment.canceled.v1" not in types


async def test_credits_go_to_accounts_of_ones_own(ledger: World):
    owner = await account(ledger)
    stranger = ledger.key(await ledger.merchant("other"))
    response = await ledger.post(
        "/v1/payment_intents", {**ORDER, "credit_account_id": owner["id"]}, key=stranger
    )
    assert response.status_code == 404
    assert response.json()["errors"][0]["pointer"] == "/credit_account_id"


async def test_a_live_key_sees_no_sandbox_network(door: World):
    live = door.key(await door.merchant("shop", livemode=True), livemode=True)
    response = await door.post("/v1/payment_intents", ORDER, key=live)
    assert (response.status_code, response.json()["code"]) == (422, "unknown_network")
    named = await door.post("/v1/payment_intents", {**ORDER, "network": "sui"}, key=live)
    assert named.json()["code"] == "unknown_network"


async def test_a_repeat_is_answered_to_the_byte_and_done_once(door: World):
    first = await door.post("/v1/payment_intents", ORDER, once="order-17")
    door.clock.turn(hours=1)
    again = await door.post("/v1/payment_intents", dict(reversed(ORDER.items())), once="order-17")
    assert again.content == first.content
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["x-ledger-position"] == first.headers["x-ledger-position"]
    assert (await door.types()).count("payment.requested.v1") == 1


async def test_the_same_key_is_anothers_own_at_another_merchant(door: World):
    other = door.key(await door.merchant("other"))
    first = await door.post("/v1/payment_intents", ORDER, once="a")
    second = await door.post("/v1/payment_intents", ORDER, once="a", key=other)
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_a_key_with_other_content_is_refused(door: World):
    await door.post("/v1/payment_intents", ORDER, once="a")
    other = await door.post("/v1/payment_intents", {**ORDER, "amount": "26.00"}, once="a")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"}, once="a")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_repeat_is_answered_even_when_no_price_can_be_had_any_more(door: World):
    lock = (await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"})).json()
    given = {**ORDER, "price_lock_id": lock["id"]}
    first = await door.post("/v1/payment_intents", given, once="a")
    door.clock.turn(days=1)  # the lock is over: asked anew, this would be refused
    again = await door.post("/v1/payment_intents", given, once="a")
    assert again.content == first.content


async def test_two_at_once_with_one_key_make_one_intent(door: World):
    answers = await asyncio.gather(
        *(door.post("/v1/payment_intents", ORDER, once="a") for _ in range(10))
    )
    assert {it.status_code for it in answers} <= {201, 409}
    running = [it for it in answers if it.status_code == 409]
    assert all(it.json()["code"] == "request_in_progress" for it in running)
    assert all(it.headers["retry-after"] for it in running)
    assert (await door.types()).count("payment.requested.v1") == 1


async def test_a_price_that_cannot_be_had_leaves_the_others_on_offer(door: World):
    del door.quotes["TAO"]
    made = await intent(door)
    assert {it["asset"] for it in made["payment_options"]} == {"ETH", "USDC", "SUI"}
    named = await door.post(
        "/v1/payment_intents", {**ORDER, "pay_with": [{"network": "bittensor", "asset": "TAO"}]}
    )
    assert (named.status_code, named.json()["code"]) == (503, "price_unavailable")
    assert named.headers["retry-after"]


async def test_credits_paid_for_at_another_price(door: World):
    made = await intent(door, amount="10", currency="CREDIT", network="bittensor")
    (option,) = made["payment_options"]
    assert Decimal(option["amount"]) == Decimal("0.024242425")
    assert made["amounts"]["requested"] == "10.000000"


async def test_a_symbol_of_many_networks_is_that_of_the_one_that_is_named(door: World):
    usdc = {"amount": "10", "currency": "USDC"}
    for where in ({"network": "sui"}, {"pay_with": [{"network": "sui", "asset": "SUI"}]}):
        made = await door.post("/v1/payment_intents", {**usdc, **where})
        assert made.status_code == 201, made.text
        assert made.json()["currency_asset_id"].startswith("sandbox:sui/")
    assert (await door.post("/v1/payment_intents", usdc)).status_code == 422
    elsewhere = {"amount": "1", "currency": "TAO", "network": "sui"}
    assert (await door.post("/v1/payment_intents", elsewhere)).status_code == 201
