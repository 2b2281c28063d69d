"""Blocks of a node and the transfers in them, out of its answers. Everything here blocks.

A block's events and its time are storage at that block, so a node has to keep the state of the
blocks it is asked about: a full node the last few hundred, an archive node all of them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, Heads
from flamewire_ledger.chains.substrate.node import Node
from flamewire_ledger.chains.substrate.runtime import EVENTS, NOW, Runtime
from flamewire_ledger.chains.substrate.scale import Unreadable
from flamewire_ledger.chains.substrate.transfers import Decoder, Extrinsic
from flamewire_ledger.domain.transfer import Block

# About so many are asked: what counts where a node limits them.
QUESTIONS_A_BLOCK: Final = 5
QUESTIONS_OF_HEADS: Final = 5
STATES_KEPT: Final = 250  # below finality, by a node that is no archive (`--state-pruning`)


def heads(node: Node) -> Heads:
    """The newest block, and the height up to which the chain says that it is final."""
    final_hash, best_hash = node.ask(("chain_getFinalizedHead", []), ("chain_getBlockHash", []))
    if node.told is not None and node.told[:2] == (final_hash, best_hash):
        return node.told[2]  # as at most looks: a chain is looked at more often than it grows
    final, best, now = node.ask(
        ("chain_getHeader", [final_hash]),
        ("chain_getHeader", [best_hash]),
        _storage(NOW, best_hash),
    )
    if final is None or best is None:
        raise ChainUnavailable("the node has no header of its own head")
    final_height = _height(final)
    earliest = 0 if node.keeps_all_states else max(0, final_height - STATES_KEPT)
    found = Heads(_block(best, best_hash, now), final_height, earliest)
    node.told = (final_hash, best_hash, found)
    return found


def block_at(node: Node, height: int) -> tuple[Block, str] | None:
    """The canonical block there and its parent's hash."""
    (block_hash,) = node.ask(("chain_getBlockHash", [height]))
    if block_hash is None:
        return None
    header, now = node.ask(("chain_getHeader", [block_hash]), _storage(NOW, block_hash))
    if header is None:
        raise ChainUnavailable(f"the node has no header of its block {height}")
    return _block(header, block_hash, now), _parent(header)


def blocks(node: Node, decoder: Decoder, first: int, last: int) -> list[BlockTransfers]:
    """The canonical blocks first…last. Fewer when there are fewer, or when the chain moves meanwhile."""
    heights = range(max(0, first - 1), last + 1)  # with the parent of the first
    known = hashes(node, heights)
    there = list(itertools.takewhile(known.__contains__, heights))
    numbers = there if first == 0 else there[1:]
    parents = [known[max(0, height - 1)] for height in numbers]
    versions = node.spec_versions(parents)
    answers = node.ask(*[each for height in numbers for each in _questions(known[height])])
    found: list[BlockTransfers] = []
    for number, height in enumerate(numbers):
        body, events, now = answers[3 * number : 3 * number + 3]
        if body is None:
            break
        runtime = node.runtime(versions[number], parents[number])
        one = _read(runtime, decoder, body, known[height], events, now)
        if one.block.height != height:
            raise ChainUnavailable("the node gave another block than it was asked for")
        if height and one.parent_hash != parents[number]:
            break  # the chain was reorganised between the questions
        found.append(one)
    return found


def hashes(node: Node, heights: Collection[int]) -> dict[int, str]:
    """Of the canonical blocks at these heights, as far as there are any."""
    answers = node.ask(*[("chain_getBlockHash", [height]) for height in heights])
    found = zip(heights, answers, strict=True)
    return {height: str(block_hash) for height, block_hash in found if block_hash is not None}


def _questions(block_hash: str) -> list[tuple[str, list[Any]]]:
    return [
        ("chain_getBlock", [block_hash]), _storage(EVENTS, block_hash), _storage(NOW, block_hash),
    ]  # fmt: skip


def _storage(key: str, block_hash: str) -> tuple[str, list[Any]]:
    return "state_getStorage", [key, block_hash]


def _read(
    runtime: Runtime, decoder: Decoder, body: Any, block_hash: str, events: Any, now: Any
) -> BlockTransfers:
    try:
        header, extrinsics = body["block"]["header"], body["block"]["extrinsics"]
        block = _block(header, block_hash, now)
        found = runtime.events(_bytes(events)) if events is not None else []
        named = _Extrinsics(runtime, extrinsics)
        transfers = tuple(decoder.transfers(found, named, block.height))
        return BlockTransfers(block, _parent(header), transfers)
    except Unreadable as error:
        raise ChainUnavailable(f"block {block_hash} cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ChainUnavailable(
            f"the node's block {block_hash} makes no sense: {type(error).__name__}"
        ) from None


class _Extrinsics(Sequence[Extrinsic]):
    """The extrinsics of a block. Only those that moved something are looked at."""

    def __init__(self, runtime: Runtime, encoded: list[str]) -> None:
        self._runtime = runtime
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, index: Any) -> Any:
        encoded = _bytes(self._encoded[index])
        digest = hashlib.blake2b(encoded, digest_size=32).hexdigest()
        return Extrinsic("0x" + digest, self._runtime.is_mortal(encoded))


def _block(header: Any, block_hash: Any, now: Any) -> Block:
    """The time is that of the block's author, in milliseconds; the genesis block has none."""
    try:
        milliseconds = int.from_bytes(_bytes(now), "little") if now is not None else 0
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return Block(_height(header), str(block_hash), at)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ChainUnavailable(f"the node's block makes no sense: {type(error).__name__}") from None


def _height(header: Any) -> int:
    try:
        return int(header["number"], 16)
    except (KeyError, TypeError, ValueError):
        raise ChainUnavailable("the node's header has no number") from None


def _parent(header: Any) -> str:
    try:
        return str(header["parentHash"])
    except (KeyError, TypeError):
        raise ChainUnavailable("the node's header has no parent") from None


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError("no hexadecimal digits")
    return bytes.fromhex(text[2:])
