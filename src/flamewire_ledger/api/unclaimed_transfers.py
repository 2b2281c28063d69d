"""Unclaimed transfers: what came to an address of many payments and is none of theirs, for the
merchant in whose books it stands: the operator of the ledger, unless its settings say otherwise.

Networks serve several merchants, so the payment it is assigned to may be any merchant's of the same
mode. That payment records it a moment later, as any transfer of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.unclaimed_transfers import (
    AssignUnclaimedTransfer,
    ListUnclaimedTransfers,
    ResolveUnclaimedTransfer,
)
from flamewire_ledger.api.reading import Row, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, money, time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.api.submitting import submit
from flamewire_ledger.commands import unclaimed_transfer as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.domain.merchant import MerchantRegistered
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import NotFound
from flamewire_ledger.domain.unclaimed_transfer import (
    AssignTransfer,
    GiveUpTransfer,
    UnclaimedTransfer,
    UnclaimedTransferCommand,
)
from flamewire_ledger.queries import unclaimed_transfers as queries

PREFIX: Final = "ut"
_POINTER: Final = "/payment_intent_id"


async def get(call: Call) -> Answer:
    row = await find(
        call,
        "unclaimed transfer",
        queries.READ_MODEL,
        lambda: queries.transfer(call.parts.reads, call.merchant_id, call.path["id"]),
    )
    return Answer(to_json(_of_row(row, call.caller.livemode)))


async def list_all(call: Call) -> Answer:
    query: ListUnclaimedTransfers = call.query
    listing = await listed(
        call,
        queries.READ_MODEL,
        lambda: queries.transfers(
            call.parts.reads,
            call.merchant_id,
            page_of(call),
            status=query.status,
            network=query.network,
            payment_id=query.payment_intent_id,
        ),
        ids=PREFIX,
    )
    livemode = call.caller.livemode
    return Answer(
        as_list([_of_row(row, livemode) for row in listing.rows], has_more=listing.has_more)
    )


async def assign(call: Call) -> Answer:
    return await submit(call, _assign)


async def _assign(call: Call) -> Envelope:
    body: AssignUnclaimedTransfer = call.body
    unclaimed_id = call.path["id"]
    await own(call, PREFIX, unclaimed_id)
    merchant_id = await _merchant_of(call, body.payment_intent_id)
    command = AssignTransfer(
        unclaimed_id, body.payment_intent_id, merchant_id, body.reason, call.now()
    )
    return commands.envelope(call.origin, command, _answer(call, command))


async def _merchant_of(call: Call, payment_id: str) -> str:
    """Whose payment it is. Any merchant's, but of the caller's mode: test money stays test money.

    The store is asked, partition by partition: the intent may be newer than what was projected.
    """
    store = call.parts.store
    for partition in range(store.partitions) if is_id("pi", payment_id) else ():
        for requested in await store.read_stream(partition, payment_id, limit=1):
            merchant_id = requested.merchant_id
            for registered in await store.read_stream(partition, merchant_id, limit=1):
                merchant: MerchantRegistered = call.parts.codec.decode(registered)
                if merchant.livemode == call.caller.livemode:
                    return merchant_id
    raise NotFound("there is no such payment intent", pointer=_POINTER)


async def resolve(call: Call) -> Answer:
    return await submit(call, _resolve)


async def _resolve(call: Call) -> Envelope:
    body: ResolveUnclaimedTransfer = call.body
    unclaimed_id = call.path["id"]
    await own(call, PREFIX, unclaimed_id)
    command = GiveUpTransfer(unclaimed_id, body.choice, body.reason, call.now())
    return commands.envelope(call.origin, command, _answer(call, command))


def _answer(call: Call, command: UnclaimedTransferCommand) -> Callable[[Decision], bytes]:
    livemode = call.caller.livemode
    return lambda it: to_json(_rendered(_of_state(it.after[command.unclaimed_id], livemode)))


@dataclass(frozen=True, slots=True)
class _Known:
    """All that the answer shows, wherever it was read."""

    unclaimed_id: str
    livemode: bool
    status: str
    why: str
    network: str
    chain_id: str
    transaction_id: str
    index: int
    address: str
    mark: str | None
    amount: Amount
    confirmations: int
    block_height: int | None
    payment_id: str | None
    reason: str | None
    seen_at: datetime
    confirmed_at: datetime | None
    decided_at: datetime | None


def _of_state(unclaimed: UnclaimedTransfer, livemode: bool) -> _Known:
    """As a decision left it: what is decided about is final."""
    transfer, confirmed = unclaimed.transfer, unclaimed.confirmed
    assert confirmed is not None, "what is not final is not decided about"
    given_up, assigned = unclaimed.given_up, unclaimed.assigned
    reason, decided_at = None, None
    if given_up is not None:
        reason, decided_at = given_up.reason, given_up.given_up_at
    elif assigned is not None:
        reason, decided_at = assigned.reason, assigned.assigned_at
    return _Known(
        unclaimed_id=unclaimed.received.unclaimed_id,
        livemode=livemode,
        status=unclaimed.status,
        why=unclaimed.received.why,
        network=transfer.network,
        chain_id=unclaimed.received.chain_id,
        transaction_id=transfer.transaction_id,
        index=transfer.index,
        address=transfer.address,
        mark=transfer.mark,
        amount=transfer.amount,
        confirmations=confirmed.confirmations,
        block_height=confirmed.block.height,
        payment_id=None if assigned is None else assigned.payment_id,
        reason=reason,
        seen_at=unclaimed.received.seen_at,
        confirmed_at=confirmed.confirmed_at,
        decided_at=decided_at,
    )


def _of_row(row: Row, livemode: bool) -> dict[str, Any]:
    known = _Known(
        unclaimed_id=row["unclaimed_id"],
        livemode=livemode,
        status=row["status"],
        why=row["why"],
        network=row["network"],
        chain_id=row["chain_id"],
        transaction_id=row["transaction_id"],
        index=row["index"],
        address=row["address"],
        mark=row["mark"],
        amount=Amount(Asset(row["asset"], row["decimals"]), int(row["units"])),
        confirmations=row["confirmations"] or 0,
        block_height=row["block_height"],
        payment_id=row["payment_id"],
        reason=row["reason"],
        seen_at=row["seen_at"],
        confirmed_at=row["confirmed_at"],
        decided_at=row["decided_at"],
    )
    return {**_rendered(known), "position": row["position"]}


def _rendered(known: _Known) -> dict[str, Any]:
    """Everything but its position."""
    return {
        "id": known.unclaimed_id,
        "object": "unclaimed_transfer",
        "livemode": known.livemode,
        "status": known.status,
        "why": known.why,
        "network": known.network,
        "chain_id": known.chain_id,
        "asset": known.amount.asset.symbol,
        "asset_code": known.amount.asset.code,
        "transaction_id": known.transaction_id,
        "index": known.index,
        "address": known.address,
        "mark": known.mark,
        **money("amount", known.amount),
        "confirmations": known.confirmations,
        "block_height": known.block_height,
        "payment_intent_id": known.payment_id,
        "reason": known.reason,
        "seen_at": time(known.seen_at),
        "confirmed_at": time(known.confirmed_at),
        "decided_at": time(known.decided_at),
    }
