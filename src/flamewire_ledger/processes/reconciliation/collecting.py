"""Collecting the three sides: what final blocks hold for us, what wallets have of it, and which payments
it was for. What was open before is looked at again the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from flamewire_ledger.chains.chain import BlockTransfers
from flamewire_ledger.domain.reconciliation.matching import (
    ON_ITS_WAY_GRACE,
    TERM_GRACE,
    ChainTransfer,
    Findings,
    Movement,
    match,
)
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.identification import UNITS_BITS_MAX, Identification, Owner
from flamewire_ledger.processes.reconciliation.chain_side import (
    FinalBlocks,
    Progress,
    ReconciliationRefused,
)
from flamewire_ledger.processes.reconciliation.expectations import Payments
from flamewire_ledger.processes.reconciliation.surroundings import Pins, Scope, Surroundings
from flamewire_ledger.processes.reconciliation.wallet_side import Totals, Wallets, owners_of
from flamewire_ledger.queries.database import Row

_PAGE_ROWS: Final = 10_000
_FIRST_RUN: Final = timedelta(days=30)  # how far back a first run looks for terms that have ended
_PAYMENTS: Final = "pi_"


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found, and the sums that go beside it."""

    findings: Findings
    wallets: Wallets
    received: Mapping[str, int]  # units on the chain, by asset
    receivers: Collection[str]  # addresses of ours that they came to
    totals: Totals  # of the wallets
    decimals: Mapping[str, int]
    is_early: bool  # something is missing that was seen, and may be about to be booked


@dataclass(slots=True)
class _Shown:
    """What the chain shows of what is ours or on the books."""

    transfers: list[ChainTransfer] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    receivers: set[str] = field(default_factory=set)
    decimals: dict[str, int] = field(default_factory=dict)

    def add(self, transfer: Transfer, block: Block, *, is_ours: bool) -> None:
        amount = transfer.amount
        asset = amount.asset.code
        self.transfers.append(
            ChainTransfer(
                transfer.key, transfer.address, asset, amount.units, block.height, block.hash,
                block.at, is_ours,
            )
        )  # fmt: skip
        self.decimals[asset] = amount.asset.decimals
        if is_ours:
            self.received[asset] = self.received.get(asset, 0) + amount.units
            self.receivers.add(transfer.address)


class Collecting:
    """For one run."""

    def __init__(self, around: Surroundings, scope: Scope, pins: Pins) -> None:
        self._around = around
        self._scope = scope
        self._pins = pins
        self._network = around.chain.network
        self._blocks = FinalBlocks(around.chain, around.limits)
        owner = None if scope.is_everybody else scope.owner_id
        self._payments = Payments(around.store, around.codec, pins.positions, owner)
        self._identification = Identification(
            self._network, around.reads, around.names, shared_address=around.shared_address
        )
        self._books = Books(self._network, around.store, around.reads, around.names)

    async def collect(self, progress: Progress) -> Collected:
        """All of it. Raises ChainUnavailable, ListenerBusy and ReconciliationRefused."""
        first, last = self._pins.first_height, self._pins.pin.height
        wallets = await self._wallets()
        movements = await wallets.between(first, last)
        booked = {each.key for each in movements}
        for grace in (TERM_GRACE, ON_ITS_WAY_GRACE):
            await self._payments.load(await self._ending(grace))
        await self._payments.load(_payments_of(movements))
        shown = _Shown()
        async for blocks in self._blocks.read(first, self._pins.pin, self._parent, progress):
            await self._take_in(blocks, booked, shown)
        strangers = [each.key for each in shown.transfers if each.key not in booked]
        movements += await wallets.named(map(_name_of, strangers))
        await self._payments.load(_payments_of(movements))
        expectations = self._payments.expectations(self._network.name, first, last)
        totals = await wallets.totals(first, last)
        findings = match(shown.transfers, movements, expectations, self._pins.at)
        on_their_way = self._payments.on_their_way()
        return Collected(
            findings,
            wallets,
            shown.received,
            shown.receivers,
            totals,
            {**totals.decimals, **shown.decimals},
            is_early=any(
                it.kind == "missing_on_books" and it.subject in on_their_way
                for it in findings.discrepancies
            ),
        )

    async def still_so(self, earlier: Collection[Row]) -> Collection[str]:
        """Which exceptions of earlier runs are found again, by fingerprint; their blocks are read anew.

        None of them may be of a block behind the pin.
        """
        keys = {row["subject"] for row in earlier if "/" in row["subject"]}
        heights = sorted(
            {row["opened"]["height"] for row in earlier if row["opened"]["height"] is not None}
        )
        shown = _Shown()
        for height in heights:
            question = partial(self._around.chain.blocks, height, height)
            for block in await self._blocks.patiently(question):
                await self._take_in([block], keys, shown)
        movements = await (await self._wallets()).named(map(_name_of, keys))
        concerned = {row["opened"]["concerns"] or "" for row in earlier}
        concerned |= {*_payments_of(movements)}
        concerned = {each for each in concerned if each.startswith(_PAYMENTS)}
        await self._payments.load(concerned)
        expectations = self._payments.expectations(
            self._network.name, 0, self._pins.pin.height, concerned
        )
        found = match(shown.transfers, movements, expectations, self._pins.at)
        return {each.fingerprint for each in found.discrepancies}

    async def _wallets(self) -> Wallets:
        merchants = [self._scope.owner_id]
        reads, name = self._around.reads, self._network.name
        if self._scope.is_everybody:
            merchants = await owners_of(reads, name, livemode=self._network.livemode)
        return Wallets(reads, name, self._pins.positions, merchants)

    async def _ending(self, grace: timedelta) -> Collection[str]:
        """Payments whose term, and then a time of grace, ended since the last run: each is in one
        run, and what should have come by then has come, or not.
        """
        pins = self._pins
        since = pins.before["completed_at"] if pins.before else pins.at - _FIRST_RUN
        asked: dict[str, object] = {
            "network": self._network.name, "since": since - grace, "until": pins.at - grace,
            "limit": _PAGE_ROWS,
        }  # fmt: skip
        found: list[str] = []
        after = ""
        while rows := await self._around.reads.ask(
            "deposit_addresses", "deposits_ending", {**asked, "after": after}
        ):
            after = rows[-1]["payment_id"]
            found += [
                row["payment_id"] for row in rows if await self._is_in_scope(row["merchant_id"])
            ]
        return found

    async def _is_in_scope(self, merchant_id: str) -> bool:
        if not self._scope.is_everybody:
            return merchant_id == self._scope.owner_id
        merchant = await self._around.reads.merchant(merchant_id)
        return merchant is not None and merchant["livemode"] == self._network.livemode

    async def _take_in(
        self, blocks: Sequence[BlockTransfers], booked: Collection[str], shown: _Shown
    ) -> None:
        """Those to addresses of ours, and those that the books name; each once."""
        placed = {
            transfer.key: (transfer, each.block)
            for each in blocks
            for transfer in each.transfers
            if 0 < transfer.amount.units < 2**UNITS_BITS_MAX
        }
        ours = await self._ours(placed, booked)
        for key, (transfer, block) in placed.items():
            if key in ours or key in booked:
                shown.add(transfer, block, is_ours=key in ours)
        if len(shown.transfers) > self._around.limits.transfers_max:
            raise ReconciliationRefused(
                f"these blocks hold more than {self._around.limits.transfers_max} transfers of ours:"
                " reconcile fewer at once with --at"
            )

    async def _ours(
        self, placed: Mapping[str, tuple[Transfer, Block]], booked: Collection[str]
    ) -> Collection[str]:
        """Not those to an address that nobody had been given, as of the pins; nor what came to a
        merchant's own address before a payment was asked for there.
        """
        seen = [(transfer, block.at) for transfer, block in placed.values()]
        whose = await self._identification.whose(seen)
        owned = {key: it for key, it in whose.items() if isinstance(it, Owner)}
        await self._payments.load({it.payment_id for it in owned.values()})
        fresh = [placed[key] for key in owned if key not in booked]
        verdicts = await self._blocks.patiently(partial(self._books.verdicts, fresh))
        ours: set[str] = set()
        for key in whose:
            owner = owned.get(key)
            if owner is None:
                is_ours = self._scope.is_everybody
            else:
                is_ours = owner.payment_id in self._payments and verdicts.get(key) != "earlier"
                is_ours = is_ours and await self._is_in_scope(owner.merchant_id)
            if is_ours:
                ours.add(key)
        return ours

    @property
    def _parent(self) -> str | None:
        """The hash of the block before the first, where an earlier run knows it."""
        before = self._pins.before
        if before is None or before["height"] + 1 != self._pins.first_height:
            return None
        return str(before["completed"]["pin"]["hash"])


def _payments_of(movements: Iterable[Movement]) -> Collection[str]:
    return {each.stream_id for each in movements if each.is_of_payment}


def _name_of(key: str) -> tuple[str, int]:
    """Transaction and index of a transfer's key: network/transaction/index."""
    transaction_id, _, index = key.partition("/")[2].rpartition("/")
    return transaction_id, int(index)
