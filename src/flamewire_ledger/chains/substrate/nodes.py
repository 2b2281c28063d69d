"""The nodes of one Substrate chain, as one: which of them is asked, and whether enough of them agree.

A follower's step is one history's: its blocks come from the node that told the heads, or from
nodes that agree with each other. Where another has stepped in meanwhile nothing is given out, so
that no block of one node becomes final by the word of another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    EndpointReport,
    Heads,
    Network,
    Throttled,
)
from flamewire_ledger.chains.endpoints import EndpointLimits, Endpoints
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.quorum import Quorum, View
from flamewire_ledger.chains.substrate import blocks as reading
from flamewire_ledger.chains.substrate.checking import Expected
from flamewire_ledger.chains.substrate.connection import Connection
from flamewire_ledger.chains.substrate.transfers import Decoder
from flamewire_ledger.domain.transfer import Block, Transfer

_BLOCKS_MAX: Final = 16  # read together; some megabytes where they are full


class Nodes:
    """The pool of one network's nodes. Use it from one event loop."""

    def __init__(
        self,
        network: Network,
        settings: SubstrateSettings,
        decoder: Decoder,
        limits: EndpointLimits | None = None,
    ) -> None:
        rules = settings.endpoint_rules
        self._decoder = decoder
        self._needs_several = rules.quorum > 1
        self._pool = Endpoints(
            _connections(network, settings),
            limits or EndpointLimits.for_blocks_of(network.block_seconds),
            network=network.name,
        )
        self._quorum = Quorum(self._pool, rules, look=self._look, block=self._block)
        self._heads_from: int | None = None  # whose word the heads of this step are
        self._blocks_max = _BLOCKS_MAX
        if rules.requests_per_second is not None:
            at_once = rules.requests_per_second // reading.QUESTIONS_A_BLOCK
            self._blocks_max = max(1, min(_BLOCKS_MAX, at_once))
        self._blocks_at_once = self._blocks_max

    async def heads(self) -> Heads:
        """Of a node that does not lag, if there is one."""
        if self._pool.is_comparison_due:
            await self._quorum.compare()
        if self._needs_several:
            return await self._quorum.heads(_heads)
        number, heads = await self._pool.ask_whom(_heads)
        for _ in range(len(self._pool)):
            self._pool.spoke_of(number, heads.latest.height)
            if not self._pool.is_set_aside(number):
                break
            number, heads = await self._pool.ask_whom(_heads)
        self._heads_from = number
        return heads

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised, or another node stepped in."""
        found: list[BlockTransfers] = []
        height = max(0, first)
        while height <= last:
            upto = min(last, height + self._blocks_at_once - 1)
            try:
                some = await self._read(height, upto)
            except ChainUnavailable as error:
                if found:
                    return found
                if isinstance(error, Throttled) or self._blocks_at_once == 1:
                    raise
                self._blocks_at_once = max(1, self._blocks_at_once // 4)  # too much, it may be
                continue
            self._blocks_at_once = min(self._blocks_max, self._blocks_at_once * 2)
            found += some
            if len(some) < upto - height + 1:
                return found
            height = upto + 1
        return found

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        async def question(connection: Connection) -> tuple[Block, str] | None:
            return await connection.ask(lambda node: reading.block_at(node, height), requests=3)

        if self._needs_several:
            return await self._quorum.block_at(question, height)
        return await self._pool.ask(question)

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        return await self._quorum.attested(transfer, block)

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return self._quorum.denied(transfer, block)

    def reports(self) -> Sequence[EndpointReport]:
        return self._pool.reports()

    async def look(self) -> Sequence[EndpointReport]:
        await self._quorum.compare(even_set_aside=True)
        return self._pool.reports()

    async def aclose(self) -> None:
        for connection in self._pool.all:
            await connection.aclose()

    # Of one node.

    async def _read(self, first: int, last: int) -> Sequence[BlockTransfers]:
        async def question(connection: Connection) -> Sequence[BlockTransfers]:
            return await self._blocks_of(connection, first, last)

        if self._needs_several:
            return await self._quorum.read(question)
        number, blocks = await self._pool.ask_whom(question)
        if self._heads_from not in (None, number):
            self._heads_from = None
            return ()
        return blocks

    async def _blocks_of(
        self, connection: Connection, first: int, last: int
    ) -> Sequence[BlockTransfers]:
        return await connection.ask(
            lambda node: reading.blocks(node, self._decoder, first, last),
            requests=(last - first + 1) * reading.QUESTIONS_A_BLOCK,
        )

    async def _block(self, connection: Connection, height: int) -> BlockTransfers | None:
        return next(iter(await self._blocks_of(connection, height, height)), None)

    async def _look(self, connection: Connection, heights: Collection[int]) -> View:
        heads = await _heads(connection)
        hashes = await connection.ask(
            lambda node: reading.hashes(node, heights), requests=len(heights)
        )
        return View(heads.latest.height, heads.finalized_height, hashes)


async def _heads(connection: Connection) -> Heads:
    return await connection.ask(reading.heads, requests=reading.QUESTIONS_OF_HEADS)


def _connections(network: Network, settings: SubstrateSettings) -> Sequence[Connection]:
    expected = Expected.of(network, settings)
    return [
        Connection(
            number,
            url,
            expected,
            timeout_seconds=settings.timeout_seconds,
            requests_per_second=settings.endpoint_rules.requests_per_second,
        )
        for number, url in enumerate(settings.rpc_urls, start=1)
    ]
