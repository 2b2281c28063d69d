"""A chain whose every answer is the test's, and a follower on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.chains.ears import Ears

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COIN = Asset("scripted:COIN", 9)


def transfer(name: str) -> Transfer:
    return Transfer("scripted", name, 0, "ours", Amount(COIN, 1))


class ScriptedChain:
    """Blocks by height, each named by a letter of its branch: `3a` is the third of branch a."""

    def __init__(self, length: int = 10) -> None:
        self.network = Network("scripted", "test:scripted", False, (), 1, 1)
        self.branch = ["a"] * length
        self.contents: dict[str, list[Transfer]] = {}
        self.waiting: list[PendingTransfer] = []
        self.finalized = 0
        self.asked: list[str] = []
        self.faults = 0
        self.hole_at: int | None = None
        self.is_agreed = True
        self.unattested: set[str] = set()  # transaction ids
        self.invented: set[str] = set()  # those of them that most endpoints deny

    @property
    def height(self) -> int:
        return len(self.branch) - 1

    def grow(self, blocks: int = 1, branch: str | None = None) -> None:
        self.branch += [branch or self.branch[-1]] * blocks

    def fork(self, height: int, branch: str, length: int) -> None:
        """Replace everything from a height on, until the chain is so long."""
        self.branch[height:] = [branch] * (length - height)

    def put(self, name: str, height: int) -> Transfer:
        put = transfer(name)
        self.contents.setdefault(self._hash(height), []).append(put)
        return put

    def put_to(self, address: str, name: str, height: int) -> Transfer:
        put = replace(transfer(name), address=address)
        self.contents.setdefault(self._hash(height), []).append(put)
        return put

    def wait(self, name: str) -> Transfer:
        self.waiting.append(PendingTransfer(transfer(name), NOON))
        return self.waiting[-1].transfer

    def _hash(self, height: int) -> str:
        return f"{height}{self.branch[height]}"

    def _block(self, height: int) -> Block:
        return Block(height, self._hash(height), NOON + timedelta(seconds=height))

    def _parent(self, height: int) -> str:
        return self._hash(height - 1) if height else "none"

    async def heads(self) -> Heads:
        self.asked.append("heads")
        if self.faults:
            self.faults -= 1
            raise ChainUnavailable("it is down")
        return Heads(self._block(self.height), self.finalized, is_agreed=self.is_agreed)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        self.asked.append(f"blocks {first} {last}")
        return [
            BlockTransfers(
                self._block(height), self._parent(height),
                tuple(self.contents.get(self._hash(height), ())),
            )
            for height in range(first, min(last, self.height) + 1)
            if height != self.hole_at
        ]  # fmt: skip

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        self.asked.append(f"block_at {height}")
        if not 0 <= height <= self.height:
            return None
        return self._block(height), self._parent(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        return list(self.waiting)

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        self.asked.append(f"attested {transfer.transaction_id} {block.hash}")
        return transfer.transaction_id not in self.unattested

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return transfer.transaction_id in self.unattested & self.invented

    def endpoints(self) -> Sequence[EndpointReport]:
        return ()

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return ()

    def deposit(self, index: int) -> Deposit:
        return Deposit("ours", str(index))

    def canonical_address(self, text: str) -> str:
        return text

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        return address

    async def aclose(self) -> None:
        return None


class Scene:
    def __init__(self, length: int = 10, **limits: float) -> None:
        self.chain = ScriptedChain(length)
        self.ears = Ears("ours")
        self.state = MemoryFollowerState()
        at_once = {"late_seconds_max": 0.0, "refused_seconds": 0.0}
        self.limits = Limits(**{**at_once, **limits})  # type: ignore[arg-type]
        self.start_height: int | None = None
        self.restart()

    def restart(self) -> None:
        """As after kill -9: only what was saved is known."""
        self.follower = Follower(
            self.chain, self.ears, self.state,
            limits=self.limits, start_height=self.start_height,
        )  # fmt: skip

    async def catch_up(self) -> None:
        await self.follower.catch_up()
