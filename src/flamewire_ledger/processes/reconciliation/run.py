"""One run: the three sides collected at a final block and a position of the log, matched, and recorded.

What it finds depends on what it is pinned to and on nothing else: `derive` with the same pins, the
same log and the same answers of the chain gives the same facts, whenever it is asked and after any
rebuild. So a report can be made again and compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.observation import ListenerBusy
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.reconciliation import (
    AssetPosition,
    LogPin,
    Pin,
    ReconciliationCompleted,
    ReconciliationExceptionOpened,
    RecordReconciliation,
    ResolveException,
    StandingCount,
    exception_id,
)
from flamewire_ledger.domain.reconciliation.balancing import left_untold
from flamewire_ledger.domain.reconciliation.matching import Discrepancy, Kind
from flamewire_ledger.processes.reconciliation import log_root
from flamewire_ledger.processes.reconciliation.chain_side import FinalBlocks, Progress
from flamewire_ledger.processes.reconciliation.collecting import Collecting
from flamewire_ledger.processes.reconciliation.positions import is_joined, positions_of
from flamewire_ledger.processes.reconciliation.surroundings import Pins, Scope, Surroundings
from flamewire_ledger.queries.database import Row
from flamewire_ledger.store.event_store import partition_of

READ_MODELS: Final = (
    "wallet_transfers", "deposit_addresses", "payment_status", "merchants", "reconciliations",
    "disposals",
)  # fmt: skip
_LEFT: Final[Kind] = "left_untold"
_PAGE_ROWS: Final = 10_000
_POLL_SECONDS: Final = 0.1
_TRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Derived:
    """What a run comes to."""

    command: RecordReconciliation
    settles: Sequence[ResolveException]
    kept: Sequence[Row]  # exceptions of earlier runs that it found again, oldest first
    is_early: bool = False  # the follower may be about to book what is missing


class Reconciling:
    """Runs over one network."""

    def __init__(self, around: Surroundings, scope: Scope) -> None:
        self._around = around
        self._scope = scope
        self._network = around.chain.network
        self._blocks = FinalBlocks(around.chain, around.limits)

    async def pins(self, first: int | None, last: int | None) -> Pins:
        """From the last reconciled block on, up to the newest final one, unless it is said otherwise.

        Waits until the follower has seen what is final, a bounded time: what it is about to book is
        not missing. Raises ReconciliationRefused, ChainUnavailable and ListenerBusy.
        """
        heads = await self._blocks.heads()
        await self._followed(heads.latest.height)
        positions = await self._positions()
        before = await self._before(self._owners(positions))
        if first is None:
            first = before["height"] + 1 if before else await self._around.began()
        last = heads.finalized_height if last is None else last
        self._blocks.check(first, last, heads)
        block = await self._blocks.block(last)
        pin = Pin(block.height, block.hash, block.at)
        return Pins(first, pin, tuple(positions), self._around.now(), before)

    async def _followed(self, height: int) -> None:
        limit = self._around.limits.follower_seconds_max
        for _ in range(int(limit / _POLL_SECONDS)):
            followed = await self._around.followed()
            if followed is None or followed >= height:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _positions(self) -> list[int]:
        store, found = self._around.store, []
        for partition in range(store.partitions):
            head = await store.head(partition)
            seconds = self._around.limits.read_model_seconds_max
            if not await self._around.reads.wait_for(partition, head, READ_MODELS, seconds):
                raise ListenerBusy(f"a read model is behind position {head} of {partition}")
            found.append(head)
        return found

    async def _before(self, until: int) -> Row | None:
        asked = {
            "merchant_id": self._scope.owner_id,
            "chain_id": self._network.chain_id,
            "until": until,
        }
        rows = await self._around.reads.ask("reconciliations", "reconciliation_before", asked)
        return rows[0] if rows else None

    async def settled(
        self,
        first: int | None,
        last: int | None,
        progress: Progress = lambda done, total: None,
    ) -> Derived:
        """A run of new pins; of newer ones, a bounded number of times, while somebody follows the
        chain and has not booked yet what became final a moment ago.
        """
        for tries_left in range(_TRIES_MAX - 1, -1, -1):
            derived = await self.derive(await self.pins(first, last), progress)
            if not derived.is_early or not tries_left or await self._around.followed() is None:
                return derived
            await asyncio.sleep(self._around.limits.follower_seconds_max / _TRIES_MAX)
        raise AssertionError("there is one try at least")

    async def derive(self, pins: Pins, progress: Progress = lambda done, total: None) -> Derived:
        """What the run records, and what it settles of earlier ones."""
        collecting = Collecting(self._around, self._scope, pins)
        collected = await collecting.collect(progress)
        positions = await positions_of(self._around, self._scope, pins, collected)
        found = [*collected.findings.discrepancies, *_left_untold(positions, pins.pin)]
        earlier = await self._open_exceptions(pins)
        known = {f"{row['kind']}/{row['subject']}": row for row in earlier}
        judged = {name: row for name, row in known.items() if _is_judged(row, pins, positions)}
        # What is of a block that this run does not see stays as it is.
        still = {*(known.keys() - judged.keys()), *(each.fingerprint for each in found)}
        still |= {*await collecting.still_so([it for it in judged.values() if it["kind"] != _LEFT])}
        still &= known.keys()
        gone = [row for name, row in known.items() if name not in still]
        run_id = self._run_id(pins)
        opened = tuple(
            _exception(run_id, self._network, each, pins.at, collected.decimals)
            for each in found
            if each.fingerprint not in known
        )
        completed = ReconciliationCompleted(
            reconciliation_id=run_id,
            network=self._network.name,
            chain_id=self._network.chain_id,
            first_height=pins.first_height,
            pin=pins.pin,
            log=await self._log(pins),
            matched=collected.findings.matched,
            positions=positions,
            standings=tuple(
                StandingCount(standing, count)
                for standing, count in collected.findings.standings.items()
            ),
            found=len(opened) + len(known) - len(gone),
            opened=len(opened),
            settled=len(gone),
            code_version=self._around.code_version,
            completed_at=pins.at,
        )
        reason = f"chain and books agree as of block {pins.pin.height}"
        settles = [
            ResolveException(
                row["reconciliation_id"], row["exception_id"], "posted_automatically", reason,
                pins.at,
            )
            for row in gone
        ]  # fmt: skip
        kept = [row for name, row in known.items() if name in still]
        command = RecordReconciliation(completed, opened)
        return Derived(command, settles, kept, collected.is_early)

    def _owners(self, positions: Sequence[int]) -> int:
        """The one of the partition in which runs are recorded."""
        return positions[partition_of(self._scope.owner_id, len(positions))]

    def _run_id(self, pins: Pins) -> str:
        return derived_id(
            "rc", pins.at, self._scope.owner_id, self._network.chain_id, str(pins.first_height),
            pins.pin.hash, *map(str, pins.positions),
        )  # fmt: skip

    async def _open_exceptions(self, pins: Pins) -> list[Row]:
        found: list[Row] = []
        asked: dict[str, object] = {
            "merchant_id": self._scope.owner_id,
            "chain_id": self._network.chain_id,
            "until": self._owners(pins.positions),
            "limit": _PAGE_ROWS,
        }
        after = 0
        while rows := await self._around.reads.ask(
            "reconciliations", "exceptions_open", {**asked, "after": after}
        ):
            found += rows
            after = rows[-1]["position"]
        return found

    async def _log(self, pins: Pins) -> tuple[LogPin, ...]:
        before: dict[int, LogPin] = {}
        if pins.before is not None:
            log = msgspec.convert(pins.before["completed"]["log"], list[LogPin])
            before = {each.partition: each for each in log}
        return tuple(
            [
                await log_root.pinned(
                    self._around.store, partition, position, before.get(partition)
                )
                for partition, position in enumerate(pins.positions)
            ]
        )


def _left_untold(positions: Sequence[AssetPosition], pin: Pin) -> Iterator[Discrepancy]:
    for each in positions:
        discrepancy = left_untold(each, pin)
        if discrepancy is not None:
            yield discrepancy


def _is_judged(exception: Row, pins: Pins, positions: Sequence[AssetPosition]) -> bool:
    """Whether this run can tell that it is settled: not what is of a block behind its own, nor what
    left, where neither the chain nor the run before says what is held.
    """
    height = exception["opened"]["height"]
    if height is not None and height > pins.pin.height:
        return False
    if exception["kind"] != _LEFT or is_joined(pins):
        return True
    return any(it.asset == exception["subject"] and it.held_units is not None for it in positions)


def _exception(
    run_id: str, network: Network, it: Discrepancy, at: datetime, decimals: Mapping[str, int]
) -> ReconciliationExceptionOpened:
    return ReconciliationExceptionOpened(
        reconciliation_id=run_id,
        exception_id=exception_id(run_id, at, it.fingerprint),
        network=network.name,
        chain_id=network.chain_id,
        kind=it.kind,
        subject=it.subject,
        since=it.since,
        concerns=it.stream_id,
        address=it.address,
        asset=it.asset,
        decimals=None if it.asset is None else decimals.get(it.asset),
        expected_units=None if it.expected_units is None else str(it.expected_units),
        found_units=None if it.found_units is None else str(it.found_units),
        found=it.found,
        height=it.height,
        block_hash=it.block_hash,
        opened_at=at,
    )
