"""A disposal: what left our wallets by somebody's hand, outside of this ledger, and is written down here.

The ledger sends no money. What an operator sold, took out, paid as a fee or gave back to a payer is
told to it, by name and once; from then on the books have it, with what was gained. All disposals of
one asset from one wallet are one stream, so that no two of them take the same units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    DISPOSALS,
    NETWORK_FEES,
    PAID_ELSEWHERE,
    REFUNDS_PAYABLE,
    WITHDRAWALS,
    Posting,
    wallet,
)
from flamewire_ledger.domain.rejection import Malformed, NotAllowed

Kind: TypeAlias = Literal["sale", "withdrawal", "fee", "refund"]
LOTS_MAX: Final = 100  # that one disposal may name
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def holding_id(merchant_id: str, network: str, asset: str) -> str:
    """The stream of all disposals of an asset from a merchant's wallet."""
    return derived_id("hd", _EPOCH, merchant_id, network, asset)


# Facts.


@dataclass(frozen=True, slots=True)
class DisposalMade:
    """`proceeds` is what a sale brought, net of what it cost, in money of a state. `lots` are those
    the units were taken from, where that was said (specific identification).
    """

    type: ClassVar = "disposal.made.v1"
    holding_id: str
    disposal_id: str
    network: str
    kind: Kind
    amount: Amount
    proceeds: Amount | None
    lots: tuple[str, ...]
    reference: str | None
    postings: tuple[Posting, ...]
    made_at: datetime


DisposalEvent: TypeAlias = DisposalMade

# State.


@dataclass(frozen=True, slots=True)
class Disposals:
    """Of one asset from one wallet: how many, and how many units in all."""

    count: int = 0
    units: int = 0
    refunded_units: int = 0


def evolve(disposals: Disposals | None, event: DisposalEvent) -> Disposals:
    """Fold one fact into the state."""
    before = disposals or Disposals()
    units = event.amount.units
    return replace(
        before,
        count=before.count + 1,
        units=before.units + units,
        refunded_units=before.refunded_units + (units if event.kind == "refund" else 0),
    )


# Commands.


@dataclass(frozen=True, slots=True)
class RecordDisposal:
    """`received_units` and `owed_units` are what the books had, of the wallet and of refunds payable,
    without any disposal of this stream; `seen` is how many of those there were when lots were looked up.
    """

    holding_id: str
    disposal_id: str
    network: str
    kind: Kind
    amount: Amount
    made_at: datetime
    at: datetime
    received_units: int
    owed_units: int
    proceeds: Amount | None = None
    lots: tuple[str, ...] = ()
    seen: int = 0
    reference: str | None = None


def decide(disposals: Disposals | None, command: RecordDisposal) -> tuple[DisposalEvent, ...]:
    """The fact that follows from the command, or a Rejection."""
    state = disposals or Disposals()
    if (command.kind == "sale") != (command.proceeds is not None):
        raise Malformed("a sale has proceeds, and nothing else has", pointer="/proceeds")
    if command.made_at > command.at:
        raise Malformed("it has not happened yet", pointer="/made_at")
    if len(command.lots) > LOTS_MAX or len(set(command.lots)) != len(command.lots):
        raise Malformed(f"name each lot once, and {LOTS_MAX} at most", pointer="/lots")
    if command.lots and state.count != command.seen:
        raise NotAllowed("another disposal came in between: look at the lots that are left")
    _check_held(state, command)
    return (
        DisposalMade(
            holding_id=command.holding_id,
            disposal_id=command.disposal_id,
            network=command.network,
            kind=command.kind,
            amount=command.amount,
            proceeds=command.proceeds,
            lots=command.lots,
            reference=command.reference,
            postings=_postings(command),
            made_at=command.made_at,
        ),
    )


def _check_held(state: Disposals, command: RecordDisposal) -> None:
    """No more leaves than there is, nor is given back than is owed."""
    asset, units = command.amount.asset, command.amount.units
    held = max(0, command.received_units - state.units)
    if units > held:
        text = Amount(asset, held).text
        raise NotAllowed(f"there are {text} {asset.symbol} in this wallet", pointer="/amount")
    owed = max(0, command.owed_units - state.refunded_units)
    if command.kind == "refund" and units > owed:
        text = Amount(asset, owed).text
        raise NotAllowed(f"{text} {asset.symbol} are to be given back", pointer="/amount")


def _postings(command: RecordDisposal) -> tuple[Posting, ...]:
    """Each asset balances by itself: a sale is a posting of what went and one of what came."""
    source, amount = wallet(command.network), command.amount
    match command.kind:
        case "sale":
            went = Posting(DISPOSALS, source, amount)
            if command.proceeds is None or command.proceeds.is_zero:
                return (went,)
            return went, Posting(PAID_ELSEWHERE, DISPOSALS, command.proceeds)
        case "withdrawal":
            return (Posting(WITHDRAWALS, source, amount),)
        case "fee":
            return (Posting(NETWORK_FEES, source, amount),)
        case "refund":
            return (Posting(REFUNDS_PAYABLE, source, amount),)
        case _:
            assert_never(command.kind)
