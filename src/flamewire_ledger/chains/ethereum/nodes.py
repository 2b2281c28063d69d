"""The nodes of one Ethereum chain, as one: which of them is asked, and whether enough of them agree.

A follower's step is one history's: its blocks come from the node that told the heads, or from one
that has the same final block, or from nodes that agree with each other. From any other nothing is
given out, so that no block of one node becomes final by the word of another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    EndpointReport,
    Heads,
    Network,
)
from flamewire_ledger.chains.endpoints import EndpointLimits, Endpoints
from flamewire_ledger.chains.ethereum.blocks import BlockReader
from flamewire_ledger.chains.ethereum.connection import Node, NodeFailed, NodeRefused, Question
from flamewire_ledger.chains.ethereum.tokens import check_tokens
from flamewire_ledger.chains.ethereum.transfers import Decoder, block_of, parent_of
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.chains.portions import read_in_portions
from flamewire_ledger.chains.quorum import Quorum, View
from flamewire_ledger.domain.transfer import Block


class Nodes:
    """The pool of one network's nodes. Use it from one event loop."""

    def __init__(
        self,
        network: Network,
        settings: EthereumSettings,
        decoder: Decoder,
        limits: EndpointLimits | None = None,
    ) -> None:
        rules = settings.endpoint_rules
        self._network = network
        self._has_finality = settings.finality == "finalized"
        self._needs_several = rules.quorum > 1
        self._reader = BlockReader(decoder, with_traces=settings.internal_transfers)
        self._pool = Endpoints(
            [
                Node(
                    number,
                    url,
                    settings.evm_chain_id,
                    timeout_seconds=settings.timeout_seconds,
                    requests_per_second=rules.requests_per_second,
                )
                for number, url in enumerate(settings.rpc_urls, start=1)
            ],
            limits or EndpointLimits.for_blocks_of(network.block_seconds),
            network=network.name,
        )
        self.quorum = Quorum(self._pool, rules, look=self._look, block=self._block)
        # Whose word the heads are, and the final block it spoke of, or its head where none is final.
        self._told: tuple[int, Block] | None = None

    @property
    def round_trips(self) -> int:
        """How many there have been so far, to all nodes together."""
        return sum(node.round_trips for node in self._pool.all)

    async def ask(self, *questions: Question) -> list[Any]:
        """The answers of one node, in order."""
        return await self._pool.ask(lambda node: node.ask(*questions))

    async def check_tokens(self) -> None:
        """By the word of one node. One that says they are wrong is set aside, and another is asked;
        raises WrongToken when none says that they are right.
        """
        # A node that is asked nothing has not answered, and proves nothing of itself.
        if tokens := [token for token in self._network.tokens if token.contract is not None]:
            await self._pool.ask(
                lambda node: check_tokens(
                    self._network.name, tokens, lambda questions: node.ask(*questions)
                )
            )

    async def heads(self) -> Heads:
        """Of a node that does not lag, if there is one."""
        if self._pool.is_comparison_due:
            await self.quorum.compare()
        if self._needs_several:
            return await self.quorum.heads(self._heads)
        number, (heads, final) = await self._pool.ask_leader(
            self._heads_and_final, lambda told: told[0].latest.height
        )
        self._told = (number, final or heads.latest)
        return heads

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised, or another node stepped in."""
        return await read_in_portions(first, last, self._reader, self._read)

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        async def question(node: Node) -> tuple[Block, str] | None:
            (answer,) = await node.ask(("eth_getBlockByNumber", [hex(height), False]))
            return None if answer is None else (block_of(answer), parent_of(answer))

        if self._needs_several:
            return await self.quorum.block_at(question, height)
        return await self._pool.ask(question)

    async def pending(self) -> Any:
        """The block a node would make next; None where it shows none."""

        async def question(node: Node) -> Any:
            try:
                (answer,) = await node.ask(("eth_getBlockByNumber", ["pending", True]))
            except (NodeRefused, NodeFailed):
                return None
            return answer

        return await self._pool.ask(question)

    def reports(self) -> Sequence[EndpointReport]:
        return self._pool.reports()

    async def aclose(self) -> None:
        for node in self._pool.all:
            await node.aclose()

    # Of one node.

    async def _read(self, first: int, last: int) -> Sequence[BlockTransfers]:
        async def question(node: Node) -> Sequence[BlockTransfers]:
            blocks = await self._reader.read(node, first, last)
            if self._needs_several or await self._is_of_the_same_history(node):
                return blocks
            return ()

        if self._needs_several:
            return await self.quorum.read(question)
        return await self._pool.ask(question)

    async def _is_of_the_same_history(self, node: Node) -> bool:
        """Whether the node has the final block that another spoke of, if it was another."""
        if self._told is None or self._told[0] == node.number:
            return True
        block = self._told[1]
        (answer,) = await node.ask(("eth_getBlockByNumber", [hex(block.height), False]))
        return answer is not None and block_of(answer).hash == block.hash

    async def _heads(self, node: Node) -> Heads:
        heads, _ = await self._heads_and_final(node)
        return heads

    async def _heads_and_final(self, node: Node) -> tuple[Heads, Block | None]:
        """Which finality counts is configured: a node that fails to say what is final confirms nothing."""
        if not self._has_finality:
            (latest,) = await node.ask(("eth_getBlockByNumber", ["latest", False]))
            block = block_of(_there(latest))
            height = max(0, block.height - self._network.confirmations_min + 1)
            return Heads(block, height), None
        latest, finalized = await node.ask(
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getBlockByNumber", ["finalized", False]),
        )
        final = block_of(finalized) if finalized else None
        return Heads(block_of(_there(latest)), final.height if final else 0), final

    async def _look(self, node: Node, heights: Collection[int]) -> View:
        heads = await self._heads(node)
        blocks = await node.ask(
            *(("eth_getBlockByNumber", [hex(height), False]) for height in heights)
        )
        found = [block_of(block) for block in blocks if block is not None]
        hashes = {block.height: block.hash for block in found}
        return View(heads.latest.height, heads.finalized_height, hashes)

    async def _block(self, node: Node, height: int) -> BlockTransfers | None:
        return next(iter(await self._reader.read(node, height, height)), None)


def _there(answer: Any) -> Any:
    if answer is None:
        raise ChainUnavailable("the node has no block yet")
    return answer
