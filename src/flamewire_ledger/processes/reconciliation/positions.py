"""Where each asset stands on both sides: what was collected, what was told, and what the chain has of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from flamewire_ledger.domain.reconciliation import AssetPosition, LogPin, Pin
from flamewire_ledger.domain.reconciliation.balancing import Moved, Past, Told, balanced
from flamewire_ledger.processes.reconciliation.chain_side import FinalBlocks
from flamewire_ledger.processes.reconciliation.collecting import Collected
from flamewire_ledger.processes.reconciliation.surroundings import Pins, Scope, Surroundings
from flamewire_ledger.processes.reconciliation.wallet_side import Wallets

_A_MOMENT: Final = timedelta(microseconds=1)


async def positions_of(
    around: Surroundings, scope: Scope, pins: Pins, collected: Collected
) -> tuple[AssetPosition, ...]:
    """By asset. Where no earlier run leads up to this one, the chain opens with what the books have.

    Addresses are shared by merchants, so what the chain holds is held against everybody's books, and
    against nobody's own.
    """
    past = _past(pins)
    told = await collected.wallets.told(pins.pin.at)
    before = await _told_before(around, pins, collected.wallets)
    held = None
    if scope.is_everybody:
        addresses = {*await collected.wallets.addresses(), *collected.receivers}
        held = await around.held(pins.pin.height, addresses)
    moved = collected.totals.moved
    return tuple(
        balanced(
            asset,
            collected.decimals.get(asset, 0),
            received=collected.received.get(asset, 0),
            moved=moved.get(asset, Moved()),
            told_before=before.get(asset, Told()),
            told=told.get(asset, Told()),
            past=None if past is None else past.get(asset, Past()),
            held=None if held is None else held.get(asset),
        )
        for asset in sorted({*collected.received, *moved, *told, *(past or {})})
    )


def is_joined(pins: Pins) -> bool:
    """Whether the run before ended where this one begins."""
    return pins.before is not None and pins.before["height"] + 1 == pins.first_height


def _past(pins: Pins) -> Mapping[str, Past] | None:
    if pins.before is None or not is_joined(pins):
        return None
    past = msgspec.convert(pins.before["completed"]["positions"], list[AssetPosition])
    return {each.asset: Past(each.chain_closing, int(each.untold_units)) for each in past}


async def _told_before(around: Surroundings, pins: Pins, wallets: Wallets) -> Mapping[str, Told]:
    """What is in the openings: what the run before knew of; else what left before the first block."""
    if pins.before is not None and is_joined(pins):
        completed = pins.before["completed"]
        log = msgspec.convert(completed["log"], list[LogPin])
        positions = {each.partition: each.position for each in log}
        known = [positions.get(partition, 0) for partition, _ in enumerate(pins.positions)]
        return await wallets.told(msgspec.convert(completed["pin"], Pin).at, known)
    first = await FinalBlocks(around.chain, around.limits).block(pins.first_height)
    return await wallets.told(first.at - _A_MOMENT)
