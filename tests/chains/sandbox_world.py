"""A sandbox chain that a test moves by moving the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flamewire_ledger.chains.sandbox.chain import Behaviour, SandboxChain
from flamewire_ledger.chains.sandbox.journal import MemorySandboxJournal, SandboxJournal
from flamewire_ledger.chains.sandbox.networks import FINALITY_BLOCKS, Kind
from flamewire_ledger.domain.transfer import Transfer

BLOCK = timedelta(seconds=1)
COINS: dict[Kind, str] = {"bittensor": "TAO", "ethereum": "ETH", "sui": "SUI"}


class SandboxWorld:
    def __init__(self, kind: Kind, journal: SandboxJournal | None = None) -> None:
        self.kind = kind
        self.journal = journal or MemorySandboxJournal()
        self.real_now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.ahead = timedelta(0)
        self.connect()

    def connect(self) -> None:
        """A new connection, as another process would have."""
        self.chain = SandboxChain(
            self.kind,
            self.journal,
            lambda: self.real_now + self.ahead,
            lambda: self.real_now,
            block_seconds=Decimal(1),
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
        return await self.play(address, units, "wrong_asset")

    async def play(
        self, address: str, units: int, behaviour: Behaviour, symbol: str | None = None
    ) -> Transfer:
        token = self.chain.network.token(symbol or self.coin)
        assert token is not None
        return await self.chain.pay(address, token, units, behaviour)

    async def mine(self, blocks: int = 1) -> None:
        self.real_now += blocks * BLOCK

    async def make_final(self) -> None:
        await self.mine(FINALITY_BLOCKS)

    async def reorganise(self) -> None:
        await self.mine(2)

    async def go_back(self) -> None:
        self.real_now -= 2 * BLOCK
        self.connect()
