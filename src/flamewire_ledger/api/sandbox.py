"""The sandbox: playing a payer, well or badly, and moving the clock. For test keys only.

A transfer is no command of the ledger: it happens on a chain, and its answer is kept once it has.
"""

from __future__ import annotations

from typing import Any

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_chain, read_amount
from flamewire_ledger.api.models.sandbox import AdvanceClock, CreateTransfer
from flamewire_ledger.api.parts import Sandbox
from flamewire_ledger.api.rendering import money, time, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.api.submitting import answer_to, concluded, recorded
from flamewire_ledger.domain.payment import PaymentOption, PaymentRequested
from flamewire_ledger.domain.rejection import UnknownAsset, UnknownNetwork


def _sandbox(call: Call) -> Sandbox:
    if call.caller.livemode:
        raise problems.live_key_refused()
    if call.mode.sandbox is None:
        raise problems.not_found("this ledger runs without a sandbox")
    return call.mode.sandbox


async def advance(call: Call) -> Answer:
    body: AdvanceClock = call.body
    now = await _sandbox(call).advance(body.advance_seconds)
    return Answer(to_json({"object": "sandbox_clock", "now": time(now)}))


async def pay(call: Call) -> Answer:
    """Send a transfer, once for each idempotency key."""
    sandbox = _sandbox(call)
    with call.office.running.only_one(call.command_id):
        outcome = await recorded(call)
        if outcome is None:
            shown = to_json(await _paid(call, sandbox))
            envelope = call.origin.envelope((), lambda _: {}, lambda _: shown)
            outcome = await call.parts.writer.submit(envelope)
        return answer_to(call, concluded(call, outcome))


async def _paid(call: Call, sandbox: Sandbox) -> dict[str, Any]:
    body: CreateTransfer = call.body
    await own(call, "pi", body.payment_intent_id, "/payment_intent_id")
    requested: PaymentRequested = (await events_of(call, body.payment_intent_id))[0]
    option = _option(call, body, requested)
    amount = option.due if body.amount is None else read_amount(body.amount, option.due.asset)
    if body.behaviour == "late":
        missing = int((requested.expires_at - call.now()).total_seconds()) + 1
        if missing > 0:
            await sandbox.advance(missing)
    transaction_id = await sandbox.pay(
        option.network,
        option.address,
        option.due.asset.symbol,
        amount.units,
        "normal" if body.behaviour == "late" else body.behaviour,
        option.mark,
    )
    return {
        "object": "sandbox_transfer",
        "payment_intent_id": body.payment_intent_id,
        "network": option.network,
        "asset": option.due.asset.symbol,
        **money("amount", amount),
        "address": option.address,
        "transaction_id": transaction_id,
        "behaviour": body.behaviour,
    }


def _option(call: Call, body: CreateTransfer, requested: PaymentRequested) -> PaymentOption:
    """The way to pay that is meant; by default the first."""
    options = requested.options
    if body.network is not None:
        chain = find_chain(call.chains, body.network, "/network")
        options = tuple(it for it in options if it.chain_id == chain.network.chain_id)
        if not options:
            raise UnknownNetwork("the intent cannot be paid there", pointer="/network")
    if body.asset is not None:
        wanted = body.asset
        options = tuple(
            it for it in options if wanted in (it.due.asset.symbol, it.due.asset.code, it.asset_id)
        )
        if not options:
            raise UnknownAsset("the intent cannot be paid with this", pointer="/asset")
    return options[0]
