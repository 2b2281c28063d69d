"""Blocks read from one node, with what happened in them, in as few round trips as they allow.

Where blocks hold transactions, each is asked for together with its receipts. Where they are empty,
as on quiet chains, receipts are asked for behind the blocks, of those that hold something; and the
more of them fit into one round trip. Which of the two it is follows what was read last. Traces,
where they are wanted, are asked for behind both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, QuestionRefused
from flamewire_ledger.chains.ethereum.transfers import Decoder

if TYPE_CHECKING:
    from flamewire_ledger.chains.ethereum.connection import Node

_BLOCKS_FIRST: Final = 25  # in the first round trip, when nothing is known of the chain
_BLOCKS_MAX: Final = 100
_BLOCKS_TRACED_MAX: Final = 4
_TRANSACTIONS_MAX: Final = 5_000  # in one round trip: some 20 MB with their receipts


class BlockReader:
    """Reads blocks of one chain from any of its nodes; what it learns of the chain is shared."""

    def __init__(self, decoder: Decoder, *, with_traces: bool = False) -> None:
        """`with_traces`: what contracts pass on is read too, at several times the bytes of a block."""
        self._decoder = decoder
        self._with_traces = with_traces
        self._most = _BLOCKS_TRACED_MAX if with_traces else _BLOCKS_MAX
        self._blocks_max = min(_BLOCKS_FIRST, self._most)
        self._is_busy = True  # whether blocks are expected to hold transactions
        self._transactions_each = 1.0

    @property
    def blocks_at_once(self) -> int:
        """How many blocks should be read together now."""
        fitting = int(_TRANSACTIONS_MAX / max(self._transactions_each, 1.0))
        return max(1, min(self._blocks_max, fitting))

    def was_answered(self) -> None:
        self._blocks_max = min(self._most, self._blocks_max * 2)

    def was_refused(self) -> bool:
        """Ask for less from now on. False when it cannot be less: it was not too much."""
        if self.blocks_at_once == 1:
            return False
        self._blocks_max = max(1, self.blocks_at_once // 4)
        return True

    async def read(self, node: Node, first: int, last: int) -> list[BlockTransfers]:
        """The canonical blocks first…last; fewer when there are fewer, or they change meanwhile."""
        blocks, receipts = await (self._both if self._is_busy else self._in_turn)(
            node, range(first, last + 1)
        )
        found: list[BlockTransfers] = []
        traces = await self._traces(node, first, blocks)
        for block, those, traced in zip(blocks, receipts, traces, strict=True):
            if block is None or those is None:
                break
            decoded = self._decoder.block_transfers(block, those, traced)
            if decoded is None:
                break
            if decoded.block.height != first + len(found):
                raise ChainUnavailable("the node gave another block than it was asked for")
            found.append(decoded)
        self._learn(blocks)
        return found

    async def _both(self, node: Node, heights: range) -> tuple[Sequence[Any], Sequence[Any]]:
        answers = await node.ask(
            *(
                question
                for height in heights
                for question in (
                    ("eth_getBlockByNumber", [hex(height), True]),
                    ("eth_getBlockReceipts", [hex(height)]),
                )
            )
        )
        return answers[::2], answers[1::2]

    async def _in_turn(self, node: Node, heights: range) -> tuple[Sequence[Any], Sequence[Any]]:
        blocks = await node.ask(
            *(("eth_getBlockByNumber", [hex(height), True]) for height in heights)
        )
        holding = [height for height, block in zip(heights, blocks, strict=True) if _held(block)]
        answers = iter(
            await node.ask(*(("eth_getBlockReceipts", [hex(height)]) for height in holding))
        )
        return blocks, [next(answers) if _held(block) else () for block in blocks]

    async def _traces(
        self, node: Node, first: int, blocks: Sequence[Any]
    ) -> Sequence[Sequence[Any] | None]:
        """Of each block; None where none are wanted. Raises ChainUnavailable where a node has none."""
        if not self._with_traces:
            return [None] * len(blocks)
        holding = [first + place for place, block in enumerate(blocks) if _held(block)]
        try:
            answers = await node.ask(*(("trace_block", [hex(height)]) for height in holding))
        except QuestionRefused as error:  # another endpoint may offer it
            raise ChainUnavailable(
                f"internal_transfers asks for what it refuses: {error}"
            ) from None
        if any(answer is None for answer in answers):
            raise ChainUnavailable("the node has no traces of a block")
        of_height = dict(zip(holding, answers, strict=True))
        return [of_height.get(first + place, ()) for place in range(len(blocks))]

    def _learn(self, blocks: Sequence[Any]) -> None:
        held = [_held(block) for block in blocks if block is not None]
        if not held:
            return
        self._is_busy = 4 * sum(1 for each in held if each) > len(held)
        self._transactions_each = sum(held) / len(held)


def _held(block: Any) -> int:
    """How many transactions a block holds."""
    if block is None:
        return 0
    try:
        return len(block["transactions"])
    except (KeyError, TypeError) as error:
        raise ChainUnavailable(f"the node's block makes no sense: {error!r}") from None
