"""Balancing: what an asset's wallet opened with, what came and what left, on the chain and in the books.

The books know what left by what was told to them. Most chains show no more than what came; one that
knows what is held at a block shows what left, and so does what nobody told of.
"""

from __future__ import annotations

from dataclasses import dataclass

from flamewire_ledger.domain.reconciliation.facts import AssetPosition, Pin
from flamewire_ledger.domain.reconciliation.matching import Discrepancy


@dataclass(frozen=True, slots=True)
class Told:
    """Units that left by disposals, as the ledger was told."""

    out: int = 0
    fees: int = 0

    def since(self, before: Told) -> Told:
        return Told(self.out - before.out, self.fees - before.fees)

    @property
    def units(self) -> int:
        return self.out + self.fees


@dataclass(frozen=True, slots=True)
class Moved:
    """What transfers did to a wallet in the books: before the first block, and from there on."""

    opening: int = 0
    into: int = 0
    out: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """Where the run before left off."""

    chain_closing: int = 0
    untold: int = 0


def balanced(
    asset: str,
    decimals: int,
    *,
    received: int,
    moved: Moved,
    told_before: Told,
    told: Told,
    past: Past | None,
    held: int | None,
) -> AssetPosition:
    """Both sides of one asset. `told` is all until now, `told_before` what of it is in the openings.

    Without a past the chain opens with what the books have. More held than came is no drift:
    other money may lie at the same addresses. Less is what left and nobody told of.
    """
    left = told.since(told_before)
    ledger_opening = moved.opening - told_before.units
    past = Past(ledger_opening) if past is None else past
    due = past.chain_closing + past.untold + received - left.units
    untold = max(0, past.untold - left.units) if held is None else max(0, due - held)
    gone = past.chain_closing + received - (due - untold)
    fees = min(left.fees, max(0, gone))
    return AssetPosition(
        asset=asset,
        decimals=decimals,
        chain_opening_units=str(past.chain_closing),
        chain_in_units=str(received),
        chain_out_units=str(gone - fees),
        chain_fee_units=str(fees),
        ledger_opening_units=str(ledger_opening),
        ledger_in_units=str(moved.into),
        ledger_out_units=str(moved.out + left.out),
        ledger_fee_units=str(left.fees),
        untold_units=str(untold),
        held_units=None if held is None else str(held),
    )


def left_untold(position: AssetPosition, pin: Pin) -> Discrepancy | None:
    """What left our addresses and is on no books, as of a block."""
    untold = int(position.untold_units)
    if not untold:
        return None
    return Discrepancy(
        kind="left_untold",
        subject=position.asset,
        since=pin.at,
        asset=position.asset,
        expected_units=position.chain_closing,
        found_units=position.chain_closing + untold,
        height=pin.height,
        block_hash=pin.hash,
    )
