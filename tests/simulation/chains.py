"""The chains, and connections to them that fail: nodes that are away, behind, or leave blocks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    Deposit,
    EndpointReport,
    Heads,
    Network,
    PendingTransfer,
    Token,
)
from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.chains.sandbox.journal import MemorySandboxJournal
from flamewire_ledger.chains.sandbox.networks import FINALITY_BLOCKS, KINDS, Kind
from flamewire_ledger.chains.sandbox.timeline import Timeline
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.simulation.clock import Clock
from tests.simulation.weather import Weather

BLOCK_SECONDS = Decimal("0.5")
ROLLUP = "rollup"  # a second network on which Ethereum's addresses are good; by amount
MARKED = "sui"  # all payments on it share an address and differ in their mark


class Rollup(SandboxChain):
    """Another chain with addresses like Ethereum's: where a payer takes the wrong network."""

    def __init__(self, journal: MemorySandboxJournal, clock: Clock) -> None:
        super().__init__(
            "ethereum", journal, clock.now, clock.real_now, block_seconds=BLOCK_SECONDS,
            identifies_by="amount", seed="rollup",
        )  # fmt: skip
        chain_id = "sandbox:rollup"
        tokens = tuple(
            Token(
                replace(token.asset, code=f"{ROLLUP}:{token.asset.symbol}"),
                token.asset_id.replace(self._network.chain_id, chain_id),
                token.contract,
            )
            for token in self._network.tokens
        )
        self._network = replace(self._network, name=ROLLUP, chain_id=chain_id, tokens=tokens)
        self._timeline = Timeline(chain_id, self._timeline._block_time)


NAMES: tuple[str, ...] = (*KINDS, ROLLUP)


def connect(name: str, journal: MemorySandboxJournal, clock: Clock) -> SandboxChain:
    """A connection of one's own: all that two of them share is the journal."""
    if name == ROLLUP:
        return Rollup(journal, clock)
    kind: Kind = next(kind for kind in KINDS if kind == name)
    return SandboxChain(
        kind, journal, clock.now, clock.real_now, block_seconds=BLOCK_SECONDS,
        identifies_by="mark" if kind == MARKED else "address",
    )  # fmt: skip


def shared_address(chain: SandboxChain) -> str | None:
    """Where all payments on it are paid, if they are."""
    return None if chain.network.identifies_by == "address" else chain.deposit(0).address


class UnreliableNode:
    """A chain as a watcher reaches it."""

    def __init__(self, chain: SandboxChain, weather: Weather) -> None:
        self._chain = chain
        self._weather = weather

    @property
    def network(self) -> Network:
        return self._chain.network

    async def heads(self) -> Heads:
        await self._reach()
        heads = await self._chain.heads()
        if self._weather.happens("a node is behind", 0.03):
            height = max(0, heads.latest.height - self._weather.number(1, 4))
            older = await self._chain.block_at(height)
            if older is not None:
                return Heads(older[0], max(0, height - FINALITY_BLOCKS))
        return heads

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        await self._reach()
        found = list(await self._chain.blocks(first, last))
        if len(found) > 1 and self._weather.happens("a node leaves a block out", 0.05):
            del found[self._weather.number(0, len(found) - 1)]
        return found

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        await self._reach()
        return await self._chain.block_at(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        await self._reach()
        if self._weather.happens("a node has not heard of what is pending", 0.03):
            return ()
        return await self._chain.pending()

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        await self._reach()
        if self._weather.happens("too few nodes attest a transfer", 0.03):
            return False
        return await self._chain.attested(transfer, block)

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return self._chain.denied(transfer, block)

    def endpoints(self) -> Sequence[EndpointReport]:
        return self._chain.endpoints()

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return await self._chain.look_at_endpoints()

    def deposit(self, index: int) -> Deposit:
        return self._chain.deposit(index)

    def canonical_address(self, text: str) -> str:
        return self._chain.canonical_address(text)

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        return self._chain.payment_uri(token, address, units, memo)

    async def aclose(self) -> None:
        return None

    async def _reach(self) -> None:
        await self._weather.delay()
        if self._weather.happens("a node does not answer", 0.02):
            raise ChainUnavailable("the node does not answer")
