"""Commands that ask read models first are the same command in a batch."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from flamewire_ledger.commands import reconciliation as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer
from flamewire_ledger.domain.reconciliation import RecordReconciliation
from flamewire_ledger.domain.transfer import Block
from tests.api.test_batch import send
from tests.api.test_credit_accounts import account, granted
from tests.api.test_invoices import succeed, take_back, tell, transfer_of
from tests.api.test_top_ups import settle
from tests.api.world import World
from tests.domain.reconciliation.test_decisions import COMPLETED, OPENED


async def line(ledger: World, key: str, command: str, params: dict[str, Any]) -> dict[str, Any]:
    """What a batch of this line is answered."""
    sent = {"id": key, "command": command, "params": params}
    answered: dict[str, Any] = json.loads((await send(ledger, json.dumps(sent).encode())).text)
    return answered


async def bought(ledger: World, path: str) -> str:
    """A purchase of 25 credits that was paid for; its grant."""
    await paid(ledger, path)
    grants = (await ledger.get(path)).json()["grants"]
    found: str = next(it["id"] for it in grants if it["source"] == "purchased")
    return found


async def paid(ledger: World, path: str) -> dict[str, Any]:
    """An intent that has bought 25 credits for the account."""
    body = {"amount": "25.00", "currency": "USD", "credit_account_id": path.rpartition("/")[2]}
    asked = await ledger.post("/v1/payment_intents", body)
    assert asked.status_code == 201, asked.text
    await succeed(ledger, asked.json())
    await settle(ledger)
    intent: dict[str, Any] = asked.json()
    return intent


async def opened(ledger: World) -> str:
    """A reconciliation's exception that is to be settled."""
    now = ledger.clock.now()
    ledger.sequence += 1
    run_id = derived_id("rc", now, str(ledger.sequence))
    exception = replace(
        OPENED, reconciliation_id=run_id, exception_id=derived_id("rx", now, run_id)
    )
    command = RecordReconciliation(replace(COMPLETED, reconciliation_id=run_id), (exception,))
    origin = Origin(command_id("test", run_id), ledger.merchant_id, "test")
    assert isinstance(await ledger.writer.submit(commands.recording(origin, command, None)), Done)
    return exception.exception_id


async def test_a_purchase_is_refunded_by_a_request_and_by_a_line_alike(ledger: World) -> None:
    path = await account(ledger)
    grant = await bought(ledger, path)
    params = {"credit_account_id": path.rpartition("/")[2], "grant_id": grant, "amount": "5"}
    refund = f"{path}/grants/{grant}/refund"
    alone = await ledger.post(refund, {"amount": "5"}, once="first")
    assert alone.status_code == 201, alone.text
    (payable,) = alone.json()["payable"]  # a fifth of what was paid
    assert (payable["currency"], payable["amount"]) == ("TAO", "0.012121212")
    again = await line(ledger, "first", "refund_purchase", params)
    assert (again["replayed"], again["result"]) == (True, alone.json())
    more = await line(ledger, "second", "refund_purchase", params)
    assert (more["status"], more["replayed"]) == ("ok", False)
    assert (await ledger.get(path)).json()["balance"]["available"] == "15.000000"


async def test_what_was_not_bought_or_is_of_nobody_is_not_refunded(ledger: World) -> None:
    path, other = await account(ledger), await account(ledger)
    given = await granted(ledger, path, "5")
    grant = await bought(ledger, path)
    assert (await ledger.post(f"{path}/grants/{given['id']}/refund", {})).status_code == 409
    assert (await ledger.post(f"{other}/grants/{grant}/refund", {})).status_code == 404
    assert (await ledger.post(f"{path}/grants/gr_none/refund", {})).status_code == 404


async def test_a_part_of_a_purchase_is_paid_back_and_not_when_the_chain_took_the_payment_back(
    ledger: World,
) -> None:
    path, other = await account(ledger), await account(ledger)
    intent = await paid(ledger, path)
    moved = await ledger.post(f"{path}/transfers", {"to": other.rpartition("/")[2], "amount": "10"})
    refund = f"{other}/grants/{moved.json()['grants'][0]['grant_id']}/refund"
    (payable,) = (await ledger.post(refund, {"amount": "5"})).json()["payable"]
    assert payable["amount"] == "0.012121212"  # a fifth of what was paid
    await take_back(ledger, intent)
    refused = await ledger.post(refund, {"amount": "5"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_allowed")
    assert (await ledger.types()).count("credit_account.purchase_refunded.v1") == 1


async def test_a_part_of_one_of_several_grants_of_a_payment_is_paid_back_by_what_that_one_cost(
    ledger: World,
) -> None:
    path, other = await account(ledger), await account(ledger)
    intent = await paid(ledger, path)
    twice = transfer_of(intent)
    half = replace(twice, index=1, amount=Amount(twice.amount.asset, twice.amount.units // 2))
    ledger.clock.turn(minutes=1)  # so that the second grant is the younger one
    now = ledger.clock.now()
    again = ConfirmTransfer(intent["id"], half, Block(2, "0xc", now), 3, now, now)
    await tell(ledger, again, "half as much again")
    resolve = {"choice": "credit", "reason": "they wrote"}
    kept = await ledger.post(f"/v1/payment_intents/{intent['id']}/resolve", resolve)
    assert kept.status_code == 200, kept.text
    await settle(ledger)
    moved = await ledger.post(f"{path}/transfers", {"to": other.rpartition("/")[2], "amount": "30"})
    first, second = [it["grant_id"] for it in moved.json()["grants"]]

    for grant, credits_, tao in ((first, "5", "0.012121212"), (second, "2.5", "0.006060606")):
        refunded = await ledger.post(f"{other}/grants/{grant}/refund", {"amount": credits_})
        assert refunded.status_code == 201, refunded.text
        assert [it["amount"] for it in refunded.json()["payable"]] == [tao]

    await tell(ledger, DropTransfer(intent["id"], half, ledger.clock.now()), "drop the half")
    gone = await ledger.post(f"{other}/grants/{second}/refund", {"amount": "1"})
    assert (gone.status_code, gone.json()["code"]) == (409, "not_allowed"), gone.text
    stands = await ledger.post(f"{other}/grants/{first}/refund", {"amount": "1"})
    assert stands.status_code == 201, stands.text


async def test_an_exception_is_settled_by_a_request_and_by_a_line_alike(ledger: World) -> None:
    body = {"settled": "ignored", "reason": "dust"}
    first, second = await opened(ledger), await opened(ledger)
    path = f"/v1/reconciliation_exceptions/{first}/resolve"
    alone = await ledger.post(path, body, once="first")
    assert alone.status_code == 200, alone.text
    params = {"reconciliation_exception_id": first, **body}
    again = await line(ledger, "first", "resolve_reconciliation_exception", params)
    assert (again["replayed"], again["result"]) == (True, alone.json())
    refused = await line(ledger, "other", "resolve_reconciliation_exception", params)
    assert refused["status"] == "rejected"
    params = {"reconciliation_exception_id": second, **body}
    told = await line(ledger, "second", "resolve_reconciliation_exception", params)
    assert (told["status"], told["result"]["status"]) == ("ok", "settled")
    listed = (await ledger.get("/v1/reconciliation_exceptions", status="open")).json()
    assert listed["data"] == []


async def test_a_disposal_is_recorded_by_a_request_and_by_a_line_alike(ledger: World) -> None:
    await paid(ledger, await account(ledger))
    body = {"network": "bittensor", "asset": "TAO", "amount": "0.04", "kind": "withdrawal"}
    alone = await ledger.post("/v1/disposals", body, once="first")
    assert alone.status_code == 201, alone.text
    again = await line(ledger, "first", "record_disposal", body)
    assert (again["replayed"], again["result"]) == (True, alone.json())
    refused = await line(ledger, "second", "record_disposal", body)  # there were 0.060606061
    assert (refused["status"], refused["code"]) == ("rejected", "not_allowed")
    told = await line(ledger, "third", "record_disposal", {**body, "amount": "0.02"})
    assert (told["status"], told["replayed"]) == ("ok", False)
