"""Payment intents that share an address: what they tell the payer, and how they are told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.api import shared_amounts
from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.networks import mark_of
from flamewire_ledger.processes.watching import Watching
from flamewire_ledger.projector.catalog import Catalog
from tests.api.conftest import readable
from tests.api.world import Indexes, World, app_over, world

ONE_TAO = {"amount": "1", "currency": "TAO", "network": "bittensor"}


@pytest.fixture(params=["mark", "amount"])
def identifies_by(request: pytest.FixtureRequest) -> IdentifiesBy:
    found: IdentifiesBy = request.param
    return found


@pytest.fixture
async def amounts() -> AsyncIterator[World]:
    async with world(identifies_by="amount") as made:
        yield made


@pytest.fixture
async def shared(
    read_models_url: str, catalog: Catalog, identifies_by: IdentifiesBy
) -> AsyncIterator[World]:
    async with readable(read_models_url, catalog, identifies_by) as made:
        yield made


async def ask(made: World, **changes: Any) -> dict[str, Any]:
    answer = await made.post("/v1/payment_intents", {**ONE_TAO, **changes})
    assert answer.status_code == 201, answer.text
    intent: dict[str, Any] = answer.json()
    return intent


def follow(made: World) -> Follower:
    """What watches the sandbox's bittensor, over the read models in Postgres."""
    chain = made.chains[0]
    watching = Watching(
        chain.network,
        made.store,
        made.reads,
        made.writer,
        made.parts.test.prices,
        made.clock.now,
        shared_address=chain.deposit(0).address,
    )
    return Follower(chain, watching, MemoryFollowerState(), start_height=0)


async def test_intents_on_a_mark_network_share_an_address_and_differ_in_their_memo() -> None:
    async with world(identifies_by="mark") as made:
        first, second = [(await ask(made))["payment_options"][0] for _ in range(2)]
        assert first["address"] == second["address"]
        assert first["amount_minor"] == second["amount_minor"] == "1000000000"
        assert first["memo"] != second["memo"]
        events = await made.events()
        requested = made.codec.decode(events[-1]).options[0]
        assert requested.mark == mark_of(requested.memo)
        assert requested.identified_by == "mark"


async def test_an_intent_with_an_address_of_its_own_has_no_memo(door: World) -> None:
    assert (await ask(door))["payment_options"][0]["memo"] is None


async def test_intents_on_an_amount_network_share_an_address_and_differ_in_what_is_due(
    amounts: World,
) -> None:
    first, second = [(await ask(amounts))["payment_options"][0] for _ in range(2)]
    assert first["address"] == second["address"]
    assert first["amount_minor"] == "1000000001"
    assert second["amount_minor"] == "1000000002"
    assert first["uri"].endswith("units=1000000001")


async def test_an_amount_that_an_open_intent_has_is_not_given_again(amounts: World) -> None:
    first = await ask(amounts)
    amounts.indexes.taken.clear()  # the numbers begin anew: the same units would be added
    second = await ask(amounts)
    assert first["payment_options"][0]["amount_minor"] == "1000000001"
    assert second["payment_options"][0]["amount_minor"] == "1000000002"


async def test_an_amount_is_free_again_when_nobody_can_be_late_any_more(amounts: World) -> None:
    first = await ask(amounts)
    amounts.clock.turn(days=31)
    amounts.indexes.taken.clear()
    still_late = await ask(amounts)
    amounts.clock.turn(days=90)
    amounts.indexes.taken.clear()
    free = await ask(amounts)
    told = [it["payment_options"][0]["amount_minor"] for it in (first, still_late, free)]
    assert told == ["1000000001", "1000000002", "1000000001"]


async def test_when_no_amount_is_free_the_intent_is_refused_and_says_what_to_do(
    amounts: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(Indexes):
        async def take(self, chain_id: str) -> int:
            return 7

    amounts.parts = replace(amounts.parts, deposit_indexes=Stuck())
    monkeypatch.setattr(shared_amounts, "TRIES_MAX", 3)
    async with app_over(amounts, amounts.writer) as client:
        amounts.client = client
        await ask(amounts)
        refused = await amounts.post("/v1/payment_intents", ONE_TAO)
    assert refused.json()["code"] == "limit_reached"
    assert "another amount" in refused.json()["detail"]


async def test_a_shared_address_is_nobodys_recipient(shared: World) -> None:
    address = shared.chains[0].deposit(0).address
    refused = await shared.post("/v1/payment_intents", {**ONE_TAO, "recipient": address})
    assert refused.json()["code"] == "not_allowed"


async def test_a_recipient_of_the_merchants_own_needs_no_memo_and_no_other_amount(
    shared: World,
) -> None:
    own = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
    option = (await ask(shared, recipient=own))["payment_options"][0]
    assert (option["memo"], option["amount_minor"]) == (None, "1000000000")


async def test_a_payer_who_does_as_told_has_paid(shared: World) -> None:
    first, second = await ask(shared), await ask(shared)
    body = {"payment_intent_id": second["id"]}
    assert (await shared.post("/v1/sandbox/transfers", body)).status_code == 201
    shared.clock.turn(minutes=10)
    await follow(shared).catch_up()
    paid = (await shared.get(f"/v1/payment_intents/{second['id']}")).json()
    waiting = (await shared.get(f"/v1/payment_intents/{first['id']}")).json()
    assert paid["status"] == "succeeded"
    assert waiting["transfers"] == []


async def test_what_nobody_asked_for_is_listed_by_the_operator_and_given_to_an_intent(
    shared: World,
) -> None:
    intent = await ask(shared)
    chain = shared.chains[0]
    token = chain.network.token("TAO")
    assert token is not None
    await chain.pay(chain.deposit(0).address, token, 999, mark="0xfeed")
    shared.clock.turn(minutes=10)
    await follow(shared).catch_up()
    operator = shared.key(await operator_of(shared))
    listed = (await shared.get("/v1/unclaimed_transfers", key=operator)).json()["data"]
    assert [(it["status"], it["amount_minor"]) for it in listed] == [("confirmed", "999")]
    path = f"/v1/unclaimed_transfers/{listed[0]['id']}/assign"
    body = {"payment_intent_id": intent["id"], "reason": "they wrote to us"}
    answer = await shared.post(path, body, key=operator)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "assigned"
    assert (await shared.get("/v1/unclaimed_transfers")).json()["data"] == []


async def operator_of(made: World) -> str:
    """The merchant that was made with the first transfer that nobody claimed."""
    await made.reads.wait_for(0, await made.store.head(0), ("merchants",), 2)
    (row,) = await made.reads.merchants_by_name("operator", livemode=False)
    merchant_id: str = row["merchant_id"]
    return merchant_id


def test_a_claim_holds_longer_than_any_intent_is_open() -> None:
    assert timedelta(days=1) < shared_amounts.PERIOD
