"""Sui: the Chain Protocol over checkpoints, each of which is final as soon as it is there.

A checkpoint is a block: its height is its sequence number, its hash its digest. Nothing is ever
reorganised and nothing waits where it could be seen: a transfer is seen when it is final. An
endpoint that says otherwise lies, and what was believed stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flamewire_ledger.chains import addresses
from flamewire_ledger.chains.chain import (
    BlockTransfers,
    Deposit,
    EndpointReport,
    Heads,
    Network,
    PendingTransfer,
    Token,
)
from flamewire_ledger.chains.networks.sui import SuiSettings
from flamewire_ledger.chains.sui.deposits import deposits
from flamewire_ledger.domain.transfer import Block, Transfer

if TYPE_CHECKING:
    from flamewire_ledger.chains.sui.line import Line

_SHORT_SUI = "0x2::sui::SUI"  # as wallets write it


class SuiChain:
    """A connection to one network. Nothing is imported or opened before it is needed."""

    def __init__(self, network: Network, settings: SuiSettings) -> None:
        self._network = network
        self._settings = settings
        self._deposits = deposits(network.name, network.chain_id, settings)
        self._line: Line | None = None

    @property
    def network(self) -> Network:
        return self._network

    async def heads(self) -> Heads:
        """The head is final: only certified checkpoints are given out."""
        line = self._connected()
        latest = await line.latest()
        return Heads(latest.block, latest.height, line.earliest_height)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        return await self._connected().blocks(max(0, first), last)

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        return await self._connected().block_at(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        """Nodes show no transactions that wait: they are certain in half a second."""
        await self._connected().check()
        return ()

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        return await self._connected().quorum.attested(transfer, block)

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return self._connected().quorum.denied(transfer, block)

    def endpoints(self) -> Sequence[EndpointReport]:
        if self._line is not None:
            return self._line.endpoints.reports()
        return [
            EndpointReport(number, "standing by" if number > 1 else "in use", None, 0, None)
            for number in range(1, len(self._settings.grpc_urls) + 1)
        ]

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return await self._connected().quorum.look()

    def deposit(self, index: int) -> Deposit:
        """Raises AddressesUsedUp where the pool has none of that number."""
        return self._deposits.deposit(index)

    def canonical_address(self, text: str) -> str:
        return addresses.parse_sui(text)

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        """The Payment Kit's where there is a nonce to attach; else address, amount and coin type."""
        coin = token.contract or _SHORT_SUI
        if memo is None:
            return f"sui:{address}?{urlencode({'amount': units, 'coinType': coin})}"
        asked = {"receiver": address, "amount": units, "coinType": coin, "nonce": memo}
        return f"sui:pay?{urlencode(asked)}"

    async def aclose(self) -> None:
        if self._line is not None:
            await self._line.aclose()
            self._line = None

    def _connected(self) -> Line:
        if self._line is None:
            # pysui takes a second to import, and only who follows this chain needs it.
            from flamewire_ledger.chains.sui.line import Line

            self._line = Line(self._network, self._settings)
        return self._line
