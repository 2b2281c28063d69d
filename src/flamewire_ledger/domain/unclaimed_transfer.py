"""An unclaimed transfer: it came to an address that many payments share, and is none of theirs by
its mark or its amount.

It is held until a person says whose it is. Its confirmation puts it on the books of the merchant
that owns what nobody claims; assigning it takes it off those books again, and the payment it is
assigned to books it as any transfer of its own, in the books of its own merchant. What the chain
says of it afterwards is said to the payment too (processes/assignment.py). A chain that takes it
back takes back exactly what was posted; who it was assigned to is remembered, should it return.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.posting import (
    REFUNDS_PAYABLE,
    SUSPENSE,
    WRITE_OFFS,
    Posting,
    wallet,
)
from flamewire_ledger.domain.rejection import Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.transfer import Block, Transfer

WhyUnclaimed: TypeAlias = Literal["no_mark", "unknown_mark", "unknown_amount"]
GivenUp: TypeAlias = Literal["refund", "write_off"]
UnclaimedStatus: TypeAlias = Literal[
    "received", "confirmed", "assigned", "refunded", "written_off", "dropped", "reorged"
]

# Facts.


@dataclass(frozen=True, slots=True)
class UnclaimedTransferReceived:
    """Seen for the first time, or again after it was gone."""

    type: ClassVar = "unclaimed_transfer.received.v1"
    unclaimed_id: str
    chain_id: str  # CAIP-2
    transfer: Transfer
    block: Block | None  # None: still waiting for one
    why: WhyUnclaimed
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class UnclaimedTransferConfirmed:
    """Final on its chain: it is ours, and on the books from here on."""

    type: ClassVar = "unclaimed_transfer.confirmed.v1"
    unclaimed_id: str
    transfer: Transfer
    block: Block
    confirmations: int
    postings: tuple[Posting, ...]
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class UnclaimedTransferAssigned:
    """A person said which payment it is for. The payment books it; these books let it go."""

    type: ClassVar = "unclaimed_transfer.assigned.v1"
    unclaimed_id: str
    transfer: Transfer
    block: Block
    confirmations: int
    seen_at: datetime
    payment_id: str
    payment_merchant_id: str
    reason: str
    postings: tuple[Posting, ...]
    assigned_at: datetime


@dataclass(frozen=True, slots=True)
class UnclaimedTransferGivenUp:
    """A person decided that it is to be sent back, or kept."""

    type: ClassVar = "unclaimed_transfer.given_up.v1"
    unclaimed_id: str
    transfer: Transfer
    choice: GivenUp
    reason: str
    postings: tuple[Posting, ...]
    given_up_at: datetime


@dataclass(frozen=True, slots=True)
class UnclaimedTransferDropped:
    """It never became final, or its payment was found after all. Nothing had been booked."""

    type: ClassVar = "unclaimed_transfer.dropped.v1"
    unclaimed_id: str
    transfer: Transfer
    dropped_at: datetime


@dataclass(frozen=True, slots=True)
class UnclaimedTransferReorganised:
    """Confirmed, and then taken back by the chain: exactly what was recorded is reversed."""

    type: ClassVar = "unclaimed_transfer.reorganised.v1"
    unclaimed_id: str
    transfer: Transfer
    postings: tuple[Posting, ...]
    payment_id: str | None  # which it was assigned to
    payment_merchant_id: str | None
    reorganised_at: datetime


UnclaimedTransferEvent: TypeAlias = (
    UnclaimedTransferReceived
    | UnclaimedTransferConfirmed
    | UnclaimedTransferAssigned
    | UnclaimedTransferGivenUp
    | UnclaimedTransferDropped
    | UnclaimedTransferReorganised
)
Facts: TypeAlias = tuple[UnclaimedTransferEvent, ...]

# State.


@dataclass(frozen=True, slots=True)
class UnclaimedTransfer:
    received: UnclaimedTransferReceived  # the last time
    status: UnclaimedStatus = "received"
    confirmed: UnclaimedTransferConfirmed | None = None  # while it is final
    assigned: UnclaimedTransferAssigned | None = None  # the last time; should it return
    given_up: UnclaimedTransferGivenUp | None = None
    postings: tuple[Posting, ...] = ()  # in force

    @property
    def is_live(self) -> bool:
        return self.status not in ("dropped", "reorged")

    @property
    def transfer(self) -> Transfer:
        return self.received.transfer if self.confirmed is None else self.confirmed.transfer


def evolve(unclaimed: UnclaimedTransfer | None, event: UnclaimedTransferEvent) -> UnclaimedTransfer:
    """Fold one fact into the state."""
    if isinstance(event, UnclaimedTransferReceived):
        return UnclaimedTransfer(event, assigned=None if unclaimed is None else unclaimed.assigned)
    assert unclaimed is not None, "its first fact is UnclaimedTransferReceived"
    match event:
        case UnclaimedTransferConfirmed():
            return replace(unclaimed, status="confirmed", confirmed=event, postings=event.postings)
        case UnclaimedTransferAssigned():
            postings = (*unclaimed.postings, *event.postings)
            return replace(unclaimed, status="assigned", assigned=event, postings=postings)
        case UnclaimedTransferGivenUp(choice=choice):
            return replace(
                unclaimed,
                status="refunded" if choice == "refund" else "written_off",
                given_up=event,
                postings=(*unclaimed.postings, *event.postings),
            )
        case UnclaimedTransferDropped():
            return replace(unclaimed, status="dropped", confirmed=None, postings=())
        case UnclaimedTransferReorganised():
            return replace(unclaimed, status="reorged", confirmed=None, given_up=None, postings=())
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class ReceiveTransfer:
    """It was seen, or is in a (new) block. Repeating it says nothing new."""

    unclaimed_id: str
    chain_id: str
    transfer: Transfer
    block: Block | None
    why: WhyUnclaimed
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmUnclaimed:
    """It is final on its chain, in this block."""

    unclaimed_id: str
    chain_id: str
    transfer: Transfer
    block: Block
    confirmations: int
    why: WhyUnclaimed
    seen_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class DropUnclaimed:
    """It is in no block any more, or never came into one."""

    unclaimed_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AssignTransfer:
    unclaimed_id: str
    payment_id: str
    payment_merchant_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUpTransfer:
    unclaimed_id: str
    choice: GivenUp
    reason: str
    at: datetime


UnclaimedTransferCommand: TypeAlias = (
    ReceiveTransfer | ConfirmUnclaimed | DropUnclaimed | AssignTransfer | GiveUpTransfer
)


def decide(unclaimed: UnclaimedTransfer | None, command: UnclaimedTransferCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say.

    What a chain says is never refused: its money has arrived, or is gone.
    """
    match command:
        case ReceiveTransfer():
            return _receive(unclaimed, command)
        case ConfirmUnclaimed():
            return _confirm(unclaimed, command)
        case DropUnclaimed():
            return () if unclaimed is None else _drop(unclaimed, command.at)
        case AssignTransfer():
            return _assign(_held(unclaimed, command), command)
        case GiveUpTransfer():
            return _give_up(_held(unclaimed, command), command)
        case _:
            assert_never(command)


def _receive(unclaimed: UnclaimedTransfer | None, command: ReceiveTransfer) -> Facts:
    if unclaimed is not None and unclaimed.is_live:
        return ()
    return (
        UnclaimedTransferReceived(
            unclaimed_id=command.unclaimed_id,
            chain_id=command.chain_id,
            transfer=command.transfer,
            block=command.block,
            why=command.why,
            seen_at=command.seen_at,
        ),
    )


def _confirm(unclaimed: UnclaimedTransfer | None, command: ConfirmUnclaimed) -> Facts:
    facts: Facts = ()
    if unclaimed is not None and unclaimed.is_live and unclaimed.transfer != command.transfer:
        # Put back with other content: what was seen or booked is gone, and this is true now.
        facts = _drop(unclaimed, command.at)
    elif unclaimed is not None and unclaimed.confirmed is not None:
        return ()
    received = ReceiveTransfer(
        command.unclaimed_id, command.chain_id, command.transfer, command.block, command.why,
        command.seen_at,
    )  # fmt: skip
    unclaimed = _after(unclaimed, facts)
    facts += _receive(unclaimed, received)
    confirmed = UnclaimedTransferConfirmed(
        unclaimed_id=command.unclaimed_id,
        transfer=command.transfer,
        block=command.block,
        confirmations=command.confirmations,
        postings=(Posting(wallet(command.transfer.network), SUSPENSE, command.transfer.amount),),
        confirmed_at=command.at,
    )
    facts += (confirmed,)
    after = _after(unclaimed, facts)
    assert after is not None, "it was received"
    if after.assigned is None:
        return facts
    again = after.assigned
    return *facts, _assigned(
        after, again.payment_id, again.payment_merchant_id, again.reason, command.at
    )


def _after(unclaimed: UnclaimedTransfer | None, facts: Facts) -> UnclaimedTransfer | None:
    for fact in facts:
        unclaimed = evolve(unclaimed, fact)
    return unclaimed


def _drop(unclaimed: UnclaimedTransfer, at: datetime) -> Facts:
    if not unclaimed.is_live:
        return ()
    unclaimed_id = unclaimed.received.unclaimed_id
    if unclaimed.confirmed is None:
        return (UnclaimedTransferDropped(unclaimed_id, unclaimed.transfer, at),)
    assigned = unclaimed.assigned if unclaimed.status == "assigned" else None
    return (
        UnclaimedTransferReorganised(
            unclaimed_id=unclaimed_id,
            transfer=unclaimed.transfer,
            postings=tuple(posting.reversed() for posting in reversed(unclaimed.postings)),
            payment_id=None if assigned is None else assigned.payment_id,
            payment_merchant_id=None if assigned is None else assigned.payment_merchant_id,
            reorganised_at=at,
        ),
    )


def _held(
    unclaimed: UnclaimedTransfer | None, command: AssignTransfer | GiveUpTransfer
) -> UnclaimedTransfer:
    if unclaimed is None:
        raise NotFound(f"there is no unclaimed transfer {command.unclaimed_id}")
    if not command.reason.strip():
        raise Malformed("a decision about money has a reason", pointer="/reason")
    if unclaimed.status == "received":
        raise NotAllowed("the transfer is not final yet: wait until its chain has confirmed it")
    if unclaimed.status != "confirmed":
        raise NotAllowed(
            "nothing is held of this transfer: it is " + unclaimed.status.replace("_", " ")
        )
    return unclaimed


def _assign(unclaimed: UnclaimedTransfer, command: AssignTransfer) -> Facts:
    return (
        _assigned(
            unclaimed,
            command.payment_id,
            command.payment_merchant_id,
            command.reason,
            command.at,
        ),
    )


def _assigned(
    unclaimed: UnclaimedTransfer,
    payment_id: str,
    payment_merchant_id: str,
    reason: str,
    at: datetime,
) -> UnclaimedTransferAssigned:
    confirmed = unclaimed.confirmed
    assert confirmed is not None, "what is assigned is final"
    return UnclaimedTransferAssigned(
        unclaimed_id=confirmed.unclaimed_id,
        transfer=confirmed.transfer,
        block=confirmed.block,
        confirmations=confirmed.confirmations,
        seen_at=unclaimed.received.seen_at,
        payment_id=payment_id,
        payment_merchant_id=payment_merchant_id,
        reason=reason,
        postings=tuple(posting.reversed() for posting in confirmed.postings),
        assigned_at=at,
    )


def _give_up(unclaimed: UnclaimedTransfer, command: GiveUpTransfer) -> Facts:
    account = REFUNDS_PAYABLE if command.choice == "refund" else WRITE_OFFS
    return (
        UnclaimedTransferGivenUp(
            unclaimed_id=command.unclaimed_id,
            transfer=unclaimed.transfer,
            choice=command.choice,
            reason=command.reason,
            postings=(Posting(SUSPENSE, account, unclaimed.transfer.amount),),
            given_up_at=command.at,
        ),
    )
