"""A sandbox chain that a test moves by moving the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flamewire_ledger.chains.chain import Heads, IdentifiesBy
from flamewire_ledger.chains.sandbox.chain import Behaviour, SandboxChain
from flamewire_ledger.chains.sandbox.journal import (
    JournalRow,
    MemorySandboxJournal,
    SandboxJournal,
)
from flamewire_ledger.chains.sandbox.networks import FINALITY_BLOCKS, Kind, unlisted_token
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.transfer import Transfer

BLOCK = timedelta(seconds=1)
COINS: dict[Kind, str] = {"bittensor": "TAO", "ethereum": "ETH", "sui": "SUI"}


class HoldableChain(SandboxChain):
    """A sandbox chain whose finality can be held."""

    final_up_to: int | None = None

    async def heads(self) -> Heads:
        heads = await super().heads()
        if self.final_up_to is None:
            return heads
        return replace(heads, finalized_height=min(heads.finalized_height, self.final_up_to))


class SandboxWorld:
    can_reorganise = True

    def __init__(
        self,
        kind: Kind,
        journal: SandboxJournal | None = None,
        *,
        identifies_by: IdentifiesBy = "address",
    ) -> None:
        self.kind = kind
        self.identifies_by = identifies_by
        self.journal = journal or MemorySandboxJournal()
        self.real_now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.ahead = timedelta(0)
        self.connect()

    def connect(self) -> None:
        """A new connection, as another process would have."""
        self.chain = HoldableChain(
            self.kind,
            self.journal,
            lambda: self.real_now + self.ahead,
            lambda: self.real_now,
            block_seconds=Decimal(1),
            identifies_by=self.identifies_by,
        )

    @property
    def coin(self) -> str:
        return COINS[self.kind]

    @property
    def coin_of_another_contract(self) -> str | None:
        return None if self.kind == "bittensor" else "USDC"

    async def pay(self, address: str, units: int, symbol: str | None = None) -> Transfer:
        return await self.play(address, units, "normal", symbol)

    async def pay_in_vain(self, address: str, units: int) -> Transfer:
        return await self.play(address, units, "failed")

    async def pay_for_now(self, address: str, units: int) -> Transfer:
        return await self.play(address, units, "reorg_before_final")

    async def pay_unlisted(self, address: str, units: int) -> Transfer:
        return await self.chain.pay(address, unlisted_token(self.chain.network), units)

    async def play(
        self,
        address: str,
        units: int,
        behaviour: Behaviour,
        symbol: str | None = None,
        mark: str | None = None,
    ) -> Transfer:
        token = self.chain.network.token(symbol or self.coin)
        assert token is not None
        return await self.chain.pay(address, token, units, behaviour, mark)

    async def mine(self, blocks: int = 1) -> None:
        self.real_now += blocks * BLOCK

    async def make_final(self) -> None:
        await self.mine(FINALITY_BLOCKS)

    async def reorganise(self) -> None:
        await self.mine(2)

    async def go_back(self) -> None:
        self.real_now -= 2 * BLOCK
        self.connect()

    async def pay_many(self, payments: Sequence[tuple[str, int]]) -> Sequence[Transfer]:
        (address, units), *others = payments
        sent = [await self.pay(address, units)]
        for index, (address, units) in enumerate(others, start=1):
            amount = Amount(sent[0].amount.asset, units)
            sent.append(replace(sent[0], index=index, address=address, amount=amount))
            await self.journal.append(self.chain.network.chain_id, _with(sent[-1]))
        return sent

    async def hold_finality(self, *, is_held: bool) -> None:
        self.connect()
        if is_held:
            self.chain.final_up_to = (await self.chain.heads()).finalized_height

    def of_another_network(self) -> None:
        """A sandbox chain has no endpoint."""


def _with(transfer: Transfer) -> Callable[[JournalRow | None], JournalRow]:
    """The last row once more, with another transfer: it comes into the same block."""

    def write(last: JournalRow | None) -> JournalRow:
        assert last is not None
        return (last[0] + 1, transfer, *last[2:])

    return write
