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
    EndpointReport,
    Heads,
    Network,
)
from flamewire_ledger.chains.endpoints import EndpointLimits, Endpoints
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.portions import Doubling, read_in_portions
from flamewire_ledger.chains.quorum import Quorum, View
from flamewire_ledger.chains.substrate import blocks as reading
from flamewire_ledger.chains.substrate.checking import Expected
from flamewire_ledger.chains.substrate.connection import Connection
from flamewire_ledger.chains.substrate.transfers import Decoder
from flamewire_ledger.domain.transfer import Block

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
        self.quorum = Quorum(self._pool, rules, look=self._look, block=self._block)
        self._heads_from: int | None = None  # whose word the heads of this step are
        blocks_max = _BLOCKS_MAX
        if rules.requests_per_second is not None:
            at_once = rules.requests_per_second // reading.QUESTIONS_A_BLOCK
            blocks_max = max(1, min(_BLOCKS_MAX, at_once))
        self._portions = Doubling(blocks_max)

    async def heads(self) -> Heads:
        """Of a node that does not lag, if there is one."""
        if self._pool.is_comparison_due:
            await self.quorum.compare()
        if self._needs_several:
            return await self.quorum.heads(_heads)
        number, heads = await self._pool.ask_leader(_heads, lambda told: told.latest.height)
        self._heads_from = number
        return heads

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised, or another node stepped in."""
        return await read_in_portions(first, last, self._portions, self._read)

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        async def question(connection: Connection) -> tuple[Block, str] | None:
            return await connection.ask(lambda node: reading.block_at(node, height), requests=3)

        if self._needs_several:
            return await self.quorum.block_at(question, height)
        return await self._pool.ask(question)

    def reports(self) -> Sequence[EndpointReport]:
        return self._pool.reports()

    async def aclose(self) -> None:
        for connection in self._pool.all:
            await connection.aclose()

    # Of one node.

    async def _read(self, first: int, last: int) -> Sequence[BlockTransfers]:
        async def question(connection: Connection) -> Sequence[BlockTransfers]:
            return await self._blocks_of(connection, first, last)

        if self._needs_several:
            return await self.quorum.read(question)
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
