"""Unclaimed transfers through the API: seen by whoever holds them, and decided about once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.commands import unclaimed_transfer as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.domain.unclaimed_transfer import ConfirmUnclaimed, DropUnclaimed
from tests.api.world import World

CHAIN = "sandbox:bittensor"
TAO = Asset("bittensor:TAO", 9)
PATH = "/v1/unclaimed_transfers"


async def hold(ledger: World, number: int = 1, *, owner: str | None = None) -> str:
    """A confirmed transfer of so many units in the books of the ledger's merchant, or another's."""
    owner = owner or ledger.merchant_id
    at = ledger.clock.now()
    transfer = Transfer("bittensor", f"0x{number:02x}", 0, "5Fshared", Amount(TAO, number))
    unclaimed_id = commands.unclaimed_id(CHAIN, transfer)
    block = Block(number, f"0xb{number}", at)
    command = ConfirmUnclaimed(unclaimed_id, CHAIN, transfer, block, 3, "no_mark", at, at)
    await send(ledger, command, owner, f"confirm {number}")
    return unclaimed_id


async def send(ledger: World, command: Any, owner: str, name: str) -> None:
    origin = Origin(command_id(name), owner, "watcher:test")
    register = RegisterMerchant(owner, "operator", False, ledger.clock.now())
    assert isinstance(
        await ledger.writer.submit(commands.observed(origin, command, register)), Done
    )


async def intent_of(ledger: World, key: str | None = None) -> str:
    body = {"amount": "1", "currency": "TAO", "network": "bittensor"}
    answer = await ledger.post("/v1/payment_intents", body, key=key)
    found: str = answer.json()["id"]
    return found


async def test_what_is_held_is_listed_the_last_to_be_seen_first(ledger: World) -> None:
    first, second = await hold(ledger, 1), await hold(ledger, 2)
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)
    listed = (await ledger.get(PATH)).json()
    assert [it["id"] for it in listed["data"]] == [second, first]
    page = (await ledger.get(PATH, limit=1)).json()
    assert page["has_more"]
    behind = (await ledger.get(PATH, limit=1, starting_after=second)).json()
    assert [it["id"] for it in behind["data"]] == [first]
    before = (await ledger.get(PATH, ending_before=first)).json()
    assert [it["id"] for it in before["data"]] == [second]


async def test_one_is_shown_with_all_that_is_known_of_it(ledger: World) -> None:
    unclaimed_id = await hold(ledger, 7)
    shown = (await ledger.get(f"{PATH}/{unclaimed_id}")).json()
    assert shown["status"] == "confirmed"
    assert shown["why"] == "no_mark"
    assert (shown["amount"], shown["amount_minor"]) == ("0.000000007", "7")
    assert (shown["transaction_id"], shown["confirmations"], shown["block_height"]) == (
        "0x07",
        3,
        7,
    )


async def test_lists_are_narrowed_by_status(ledger: World) -> None:
    gone, held = await hold(ledger, 1), await hold(ledger, 2)
    drop = DropUnclaimed(gone, ledger.clock.now() + timedelta(minutes=1))
    await send(ledger, drop, ledger.merchant_id, "drop")
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)
    listed = (await ledger.get(PATH, status="confirmed")).json()["data"]
    assert [it["id"] for it in listed] == [held]
    listed = (await ledger.get(PATH, status="reorged")).json()["data"]
    assert [it["id"] for it in listed] == [gone]


async def test_it_is_assigned_to_an_intent_and_the_answer_is_what_a_look_at_it_gives(
    ledger: World,
) -> None:
    unclaimed_id, intent = await hold(ledger), await intent_of(ledger)
    body = {"payment_intent_id": intent, "reason": "they wrote to us"}
    answer = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["payment_intent_id"] == intent
    assert answer.json()["reason"] == "they wrote to us"
    assert (await ledger.get(f"{PATH}/{unclaimed_id}")).json() == answer.json()
    again = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body)
    assert (again.status_code, again.json()["code"]) == (409, "not_allowed")


async def test_the_intent_may_be_another_merchants_but_not_of_the_other_mode(
    ledger: World,
) -> None:
    unclaimed_id = await hold(ledger)
    other = await ledger.merchant("other shop")
    intent = await intent_of(ledger, key=ledger.key(other))
    body = {"payment_intent_id": intent, "reason": "theirs"}
    answer = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body)
    assert answer.json()["status"] == "assigned"

    live = await hold(ledger, 2, owner=(live_id := await ledger.merchant("live", livemode=True)))
    key = ledger.key(live_id, livemode=True)
    refused = await ledger.post(f"{PATH}/{live}/assign", body, key=key)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_an_intent_there_is_not_is_pointed_at(ledger: World) -> None:
    unclaimed_id = await hold(ledger)
    body = {"payment_intent_id": "pi_01kayv3m8se0p9q7r2t4w6x8za", "reason": "theirs"}
    refused = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body)
    assert refused.status_code == 404


@pytest.mark.parametrize(
    ("choice", "status"), [("refund", "refunded"), ("write_off", "written_off")]
)
async def test_it_is_sent_back_or_kept(ledger: World, choice: str, status: str) -> None:
    unclaimed_id = await hold(ledger)
    body = {"choice": choice, "reason": "nobody asked for it"}
    answer = await ledger.post(f"{PATH}/{unclaimed_id}/resolve", body)
    assert answer.json()["status"] == status
    assert (await ledger.get(f"{PATH}/{unclaimed_id}")).json() == answer.json()


async def test_what_another_merchant_holds_is_not_there(ledger: World) -> None:
    unclaimed_id, intent = await hold(ledger), await intent_of(ledger)
    other = ledger.key(await ledger.merchant("other shop"))
    assert (await ledger.get(PATH, key=other)).json()["data"] == []
    assert (await ledger.get(f"{PATH}/{unclaimed_id}", key=other)).status_code == 404
    body = {"payment_intent_id": intent, "reason": "mine"}
    refused = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body, key=other)
    assert refused.status_code == 404


async def test_it_takes_a_scope_of_its_own(ledger: World) -> None:
    unclaimed_id, intent = await hold(ledger), await intent_of(ledger)
    reader = ledger.key(ledger.merchant_id, "unclaimed:read")
    payments = ledger.key(ledger.merchant_id, "payments:write")
    assert (await ledger.get(PATH, key=reader)).status_code == 200
    assert (await ledger.get(PATH, key=payments)).status_code == 403
    body = {"payment_intent_id": intent, "reason": "mine"}
    refused = await ledger.post(f"{PATH}/{unclaimed_id}/assign", body, key=reader)
    assert refused.status_code == 403
