"""A sandbox chain: the Chain Protocol over a journal, and `pay`, which plays a payer.

The process that pays and the one that follows need not be the same: both have the journal.
Misbehaviour is a script that is written into the journal with the payment, and happens by itself
as blocks go by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Final, Literal, TypeAlias, assert_never, get_args
from urllib.parse import quote_plus

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    Deposit,
    EndpointReport,
    Heads,
    IdentifiesBy,
    Network,
    PendingTransfer,
    Token,
)
from flamewire_ledger.chains.sandbox.journal import Entry, JournalRow, SandboxJournal
from flamewire_ledger.chains.sandbox.networks import (
    FINALITY_BLOCKS,
    SPELLINGS,
    Kind,
    deposit_account,
    mark_of,
    sandbox_network,
    unlisted_token,
)
from flamewire_ledger.chains.sandbox.timeline import ACTIVE_BLOCKS, Timeline
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.transfer import Block, Transfer

Behaviour: TypeAlias = Literal[
    "normal",
    "late",
    "reorg",
    "reorg_before_final",
    "reorg_and_back",
    "drop",
    "wrong_asset",
    "failed",
]
BEHAVIOURS: Final[tuple[str, ...]] = get_args(Behaviour)

_READ_MAX: Final = 1000
_SHARED: Final = "sandbox/shared"
_AMOUNTS: Final = 9_999  # how many payments of the same amount are told apart by it
_DROP_BLOCKS: Final = 3  # how long a transfer waits in the mempool before it vanishes
_EARLY_REORG_BLOCKS: Final = 2  # behind its block, and before that is final
# Behind finality, so that the payment has succeeded before the chain takes it back.
_LATE_REORG_BLOCKS: Final = FINALITY_BLOCKS + 12
assert _EARLY_REORG_BLOCKS < FINALITY_BLOCKS
assert _LATE_REORG_BLOCKS + FINALITY_BLOCKS < ACTIVE_BLOCKS


@dataclass(frozen=True, slots=True)
class _Script:
    """Heights relative to the first block that can hold the transfer."""

    is_included: bool = True
    pending_blocks: int = 0
    removed_after: int | None = None
    returns_after: int | None = None


_quoted: Final = cache(quote_plus)  # of symbols, which are few


class SandboxChain:
    """One of the sandbox chains. `now` is sandbox time, `real_now` what its blocks are made by."""

    def __init__(
        self,
        kind: Kind,
        journal: SandboxJournal,
        now: Callable[[], datetime],
        real_now: Callable[[], datetime],
        *,
        block_seconds: Decimal = Decimal("0.25"),
        seed: str = "flamewire sandbox",
        identifies_by: IdentifiesBy = "address",
    ) -> None:
        self._network = sandbox_network(kind, identifies_by)
        self._spelling = SPELLINGS[kind]
        self._journal = journal
        self._now = now
        self._real_now = real_now
        self._seed = seed
        block_time = timedelta(microseconds=int(block_seconds * 1_000_000))
        self._timeline = Timeline(self._network.chain_id, block_time)

    @property
    def network(self) -> Network:
        return self._network

    # Playing a payer.

    async def pay(
        self,
        address: str,
        token: Token,
        units: int,
        behaviour: Behaviour = "normal",
        mark: str | None = None,
    ) -> Transfer:
        """Send units to an address, now; the next block holds it, or what the behaviour says.

        `mark` is what the transaction shows besides: that of a deposit (`mark_of` its memo), or any.

        * `late` is `normal`: the caller moves the sandbox clock past the expiry before paying.
        * `reorg` is final first, and taken out some blocks later for good; `reorg_before_final` is
          taken out earlier; `reorg_and_back` comes back in another block.
        * `drop` is seen waiting, and then never again; so is `failed`, whose transaction fails.
        * `wrong_asset` sends as much of another asset of the network.

        Raises InvalidAddress.
        """
        receiver = self.canonical_address(address)
        amount = Amount(token.asset, units)
        if behaviour == "wrong_asset":
            token, amount = self._other(token, amount)
        await self._read()
        row = await self._journal.append(
            self._network.chain_id,
            lambda last: self._entry(last, receiver, token, amount, behaviour, mark).row,
        )
        return row[1]

    def _entry(
        self,
        last: JournalRow | None,
        address: str,
        token: Token,
        amount: Amount,
        behaviour: Behaviour,
        mark: str | None,
    ) -> Entry:
        """What `pay` appends; alone on this chain, so `last` may be newer than what was read."""
        if last is not None and last[0] == self._timeline.sequence + 1:
            self._timeline.add(Entry(*last))
        sequence = last[0] + 1 if last else 1
        real_now = self._real_now()
        head, anchored_at = self._timeline.anchor_at(real_now)
        if last is not None and last[5] > head:  # its writer's clock is ahead of ours
            head, anchored_at = last[5], last[4]
        name = f"{self._network.chain_id}/{sequence}/{address}/{amount.units}"
        digest = hashlib.blake2b(name.encode(), digest_size=32).digest()
        transfer = Transfer(
            self._network.name,
            self._spelling.digest(digest),
            0 if token.contract is None else 1,
            address,
            amount,
            mark,
        )
        script, first = _script(behaviour), head + 1
        return Entry(
            sequence,
            transfer,
            self._now(),
            real_now,
            anchored_at,
            head,
            script.is_included,
            first + script.pending_blocks,
            _after(first, script.removed_after),
            _after(first, script.returns_after),
        )

    def _other(self, token: Token, amount: Amount) -> tuple[Token, Amount]:
        others = (each for each in self._network.tokens if each != token)
        other = next(others, unlisted_token(self._network))
        units = amount.units * other.asset.units_per_major // token.asset.units_per_major
        return other, Amount(other.asset, max(1, units))

    # The Chain Protocol.

    async def heads(self) -> Heads:
        head = await self._grown()
        return Heads(self._block(head), max(0, head - FINALITY_BLOCKS))

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        head = await self._grown()
        return [
            BlockTransfers(
                self._block(height), self._parent_hash(height), self._timeline.transfers(height)
            )
            for height in range(max(0, first), min(last, head) + 1)
        ]

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        if not 0 <= height <= await self._grown():
            return None
        return self._block(height), self._parent_hash(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        await self._grown()
        return [
            PendingTransfer(entry.transfer, entry.paid_at) for entry in self._timeline.pending()
        ]

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        """There is one journal, and nobody to contradict it."""
        return True

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return False

    def endpoints(self) -> Sequence[EndpointReport]:
        return ()

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return ()

    def deposit(self, index: int) -> Deposit:
        match self._network.identifies_by:
            case "address":
                account = deposit_account(self._seed, self._network.chain_id, index)
                return Deposit(self._spelling.address(account), f"sandbox/{index}")
            case "mark":
                memo = f"fw{index:08d}"
                return Deposit(self._shared, _SHARED, memo=memo, mark=mark_of(memo))
            case "amount":
                return Deposit(self._shared, _SHARED, adds_units=1 + index % _AMOUNTS)
            case _:
                assert_never(self._network.identifies_by)

    @property
    def _shared(self) -> str:
        """The address of all payments, where they are told apart by mark or by amount."""
        account = hashlib.blake2b(self._seed.encode(), digest_size=32).digest()
        return self._spelling.address(account)

    def canonical_address(self, text: str) -> str:
        return self._spelling.parse(text)

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        """A URI that no wallet opens: real money does not go to a sandbox."""
        asset = _quoted(token.asset.symbol)
        return f"{self._network.chain_id}/{address}?asset={asset}&units={units}"

    async def aclose(self) -> None:
        return None

    # Reading the journal.

    async def _grown(self) -> int:
        await self._read()
        return self._timeline.grow(self._real_now())

    async def _read(self) -> None:
        while True:
            after = self._timeline.sequence
            rows = await self._journal.read(self._network.chain_id, after, _READ_MAX)
            for row in rows:
                if row[0] == self._timeline.sequence + 1:  # another reader of ours may be ahead
                    self._timeline.add(Entry(*row))
            if len(rows) < _READ_MAX:
                return

    def _block(self, height: int) -> Block:
        digest = self._timeline.digest(height)
        return Block(height, self._spelling.digest(digest), self._timeline.block_time(height))

    def _parent_hash(self, height: int) -> str:
        return self._spelling.digest(self._timeline.digest(height - 1) if height else bytes(32))


def _after(first: int, blocks: int | None) -> int | None:
    return None if blocks is None else first + blocks


def _script(behaviour: Behaviour) -> _Script:
    match behaviour:
        case "normal" | "late" | "wrong_asset":
            return _Script()
        case "reorg":
            return _Script(removed_after=_LATE_REORG_BLOCKS)
        case "reorg_before_final":
            return _Script(removed_after=_EARLY_REORG_BLOCKS)
        case "reorg_and_back":
            return _Script(removed_after=_EARLY_REORG_BLOCKS, returns_after=_EARLY_REORG_BLOCKS + 1)
        case "drop":
            return _Script(is_included=False, pending_blocks=_DROP_BLOCKS)
        case "failed":
            return _Script(is_included=False)
        case _:
            assert_never(behaviour)
