"""Registered addresses as they are read: which there are, which of them count, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flamewire_ledger.commands import payment
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import ConfirmTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.queries import ownership as queries
from tests.api.test_ownership import account, challenge, prove, refused
from tests.api.wallets import Wallet, ethereum, substrate, sui
from tests.api.world import World

ADDRESSES = "/v1/ownership/addresses"


async def registered(ledger: World, wallet: Wallet, **changed: Any) -> dict[str, Any]:
    asked = await challenge(ledger, wallet, **changed)
    answer = await prove(ledger, asked["id"], wallet.sign(asked["message"]))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def standing(ledger: World, **query: Any) -> dict[str, str]:
    """Which addresses a list has, in its order, and how they stand."""
    answer = await ledger.get(ADDRESSES, **query)
    assert answer.status_code == 200, answer.text
    return {it["id"]: it["status"] for it in answer.json()["data"]}


async def test_an_address_is_read_as_it_was_answered(ledger: World):
    shown = await registered(ledger, sui("ed25519"), purpose="sender")
    path = f"{ADDRESSES}/{shown['id']}"
    assert (await ledger.get(path)).json() == shown
    assert (await ledger.get(ADDRESSES)).json() == {
        "object": "list",
        "data": [shown],
        "has_more": False,
    }
    revoked = (await ledger.post(f"{path}/revoke")).json()
    assert revoked["status"] == "revoked"
    assert (await ledger.get(path)).json() == revoked


async def test_a_challenge_that_nobody_met_is_no_address(ledger: World):
    asked = await challenge(ledger, ethereum())
    refused(await ledger.get(f"{ADDRESSES}/{asked['id']}"), 404, "not_found")
    assert await standing(ledger) == {}


async def test_another_merchant_sees_nothing_of_it(ledger: World):
    shown = await registered(ledger, ethereum())
    stranger = ledger.key(await ledger.merchant("other"))
    refused(await ledger.get(f"{ADDRESSES}/{shown['id']}", key=stranger), 404, "not_found")
    assert (await ledger.get(ADDRESSES, key=stranger)).json()["data"] == []


async def test_lists_are_narrowed_and_paged(ledger: World):
    order = {"amount": "25.00", "currency": "USD"}
    payment = (await ledger.post("/v1/payment_intents", order)).json()["id"]
    to = await account(ledger)
    made = []
    for wallet, what in (
        (ethereum(), {"payment_intent_id": payment}),
        (substrate("sr25519"), {"credit_account_id": to}),
        (sui("ed25519"), {"credit_account_id": to, "purpose": "sender"}),
    ):
        ledger.clock.turn(seconds=1)  # ids of one moment have no order
        made.append((await registered(ledger, wallet, **what))["id"])
    one, two, three = made
    assert list(await standing(ledger)) == [three, two, one]
    for query, wanted in (
        ({"purpose": "refund"}, [two, one]),
        ({"payment_intent_id": payment}, [one]),
        ({"credit_account_id": to}, [three, two]),
        ({"network": "sui"}, [three]),
        ({"network": "sandbox:sui"}, [three]),
        ({"network": "ethereum", "address": ethereum().address.lower()}, [one]),
        ({"network": "ethereum", "address": ethereum("two").address}, []),
        ({"status": "registered", "limit": 2}, [three, two]),
        ({"status": "revoked"}, []),
        ({"starting_after": three, "limit": 1}, [two]),
        ({"ending_before": one, "limit": 1}, [two]),
    ):
        assert list(await standing(ledger, **query)) == wanted, query
    for query in ({"network": "solana"}, {"network": "sui", "address": "0x1"}):
        assert (await ledger.get(ADDRESSES, **query)).status_code == 422
    refused(await ledger.get(ADDRESSES, starting_after="pi_1"), 422, "invalid_parameter")
    refused(await ledger.get(ADDRESSES, address=ethereum().address), 422, "invalid_parameter")


async def test_one_refund_address_counts_and_the_one_before_does_not_come_back(ledger: World):
    to = await account(ledger)
    one = await registered(ledger, ethereum("one"), credit_account_id=to)
    ledger.clock.turn(seconds=1)
    two = await registered(ledger, ethereum("two"), credit_account_id=to)
    elsewhere = await registered(ledger, sui("ed25519"), credit_account_id=to)
    assert await standing(ledger, network="ethereum") == {
        two["id"]: "registered",
        one["id"]: "replaced",
    }
    await ledger.post(f"{ADDRESSES}/{two['id']}/revoke")
    assert await standing(ledger, network="ethereum") == {
        two["id"]: "revoked",
        one["id"]: "replaced",
    }
    rows = await queries.refund_addresses(ledger.reads, ledger.merchant_id, "pi_none", to)
    assert [row["ownership_id"] for row in rows] == [elsewhere["id"]]


async def test_a_challenge_of_before_that_is_met_later_counts(ledger: World):
    """What was proved last counts, not what was asked for last."""
    to = await account(ledger)
    first, second = ethereum("one"), ethereum("two")
    early = await challenge(ledger, first, credit_account_id=to)
    ledger.clock.turn(seconds=1)
    replaced = await registered(ledger, second, credit_account_id=to)
    await prove(ledger, early["id"], first.sign(early["message"]))
    assert await standing(ledger) == {replaced["id"]: "replaced", early["id"]: "registered"}


async def test_who_sent_from_an_address_is_known(ledger: World):
    """Several senders for one account; of one address the newest proof."""
    to, other = await account(ledger), await account(ledger)
    shared, alone = ethereum("one"), ethereum("two")
    await registered(ledger, shared, credit_account_id=to, purpose="sender")
    again = await registered(ledger, shared, credit_account_id=to, purpose="sender")
    also = await registered(ledger, shared, credit_account_id=other, purpose="sender")
    gone = await registered(ledger, alone, credit_account_id=to, purpose="sender")
    await registered(ledger, alone, credit_account_id=to, purpose="refund")
    await ledger.post(f"{ADDRESSES}/{gone['id']}/revoke")
    chain_id = "sandbox:ethereum"
    await standing(ledger)  # waits for the read model

    async def senders(merchant_id: str) -> list[tuple[str, str]]:
        asked = [shared.address, alone.address]
        rows = await queries.senders(ledger.reads, merchant_id, chain_id, asked)
        return [(row["ownership_id"], row["account_id"]) for row in rows]

    assert await senders(ledger.merchant_id) == [(also["id"], other), (again["id"], to)]
    assert await senders("mer_other") == []


async def late_payment(ledger: World, **more: Any) -> str:
    """A payment that came when nobody waited for it any more: it is held."""
    order = {"amount": "25.00", "currency": "USD", "network": "ethereum", **more}
    made = await ledger.post("/v1/payment_intents", order)
    payment_id: str = made.json()["id"]
    assert made.json()["refund_to"] == []
    arrived = Transfer(
        "ethereum",
        "0x" + "ab" * 32,
        0,
        made.json()["payment_options"][0]["address"],
        Amount(Asset("ethereum:ETH", 18), 10**16),
    )
    late = ledger.clock.now() + timedelta(seconds=901)
    ledger.clock.at = late
    command = ConfirmTransfer(payment_id, arrived, Block(1, "0x01", late), 3, late, late)
    origin = Origin(command_id("late", payment_id), ledger.merchant_id, "watcher:test")
    assert isinstance(await ledger.writer.submit(payment.envelope(origin, command)), Done)
    return payment_id


async def test_a_refund_goes_to_what_was_registered_when_it_was_decided(ledger: World):
    to = await account(ledger)
    payment_id = await late_payment(ledger, credit_account_id=to)
    mine = await registered(ledger, ethereum("one"), payment_intent_id=payment_id)
    await registered(ledger, ethereum("two"), credit_account_id=to)  # the payment's own comes first
    elsewhere = await registered(ledger, sui("ed25519"), credit_account_id=to)
    await registered(ledger, substrate("sr25519"), credit_account_id=to, purpose="sender")
    path = f"/v1/payment_intents/{payment_id}"
    assert (await ledger.get(path)).json()["refund_to"] == []  # nothing is refunded yet
    resolved = await ledger.post(f"{path}/resolve", {"choice": "refund", "reason": "came late"})
    assert resolved.status_code == 200, resolved.text
    assert resolved.json()["refund_to"] == [
        {
            "network": it["network"],
            "chain_id": it["chain_id"],
            "address": it["address"],
            "registered_address_id": it["id"],
        }
        for it in (mine, elsewhere)
    ]
    await ledger.post(f"{ADDRESSES}/{mine['id']}/revoke")  # what was decided stays as it was
    assert (await ledger.get(path)).json() == resolved.json()


async def test_other_choices_send_nothing_anywhere(ledger: World):
    payment_id = await late_payment(ledger)
    await registered(ledger, ethereum(), payment_intent_id=payment_id)
    path = f"/v1/payment_intents/{payment_id}"
    resolved = await ledger.post(f"{path}/resolve", {"choice": "accept", "reason": "a friend"})
    assert resolved.status_code == 200, resolved.text
    assert resolved.json()["refund_to"] == []
    assert (await ledger.get(path)).json() == resolved.json()
