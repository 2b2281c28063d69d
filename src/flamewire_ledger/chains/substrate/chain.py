"""Bittensor and chains like it through plain nodes: the Chain Protocol over substrate-interface.

The library blocks, so every endpoint has a thread and a line of its own. What has moved is read
from events, and what is final is the chain's own word.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote_plus

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
from flamewire_ledger.chains.endpoints import EndpointLimits
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.substrate.deposits import BadAccount, DepositAddresses
from flamewire_ledger.chains.substrate.nodes import Nodes
from flamewire_ledger.chains.substrate.transfers import Decoder
from flamewire_ledger.domain.transfer import Block, Transfer


class SubstrateChain:
    """A connection to one network. Nothing is imported or opened before it is needed."""

    def __init__(
        self,
        network: Network,
        settings: SubstrateSettings,
        limits: EndpointLimits | None = None,
    ) -> None:
        """Raises BadAccount when the account cannot have the addresses that the file says it has."""
        self._network = network
        self._prefix = settings.ss58_prefix
        try:
            self._deposits = DepositAddresses(
                settings.account, settings.ss58_prefix, network.identifies_by
            )
        except BadAccount as error:
            raise BadAccount(f"network {network.name} in the networks file: {error}") from None
        decoder = Decoder(network, settings.ss58_prefix)
        self._nodes = Nodes(network, settings, decoder, limits)

    @property
    def network(self) -> Network:
        return self._network

    async def heads(self) -> Heads:
        return await self._nodes.heads()

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised meanwhile: ask again from there."""
        return await self._nodes.blocks(first, last)

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        return await self._nodes.block_at(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        """None, ever: what waits is a call, and what it will move is not known before it has."""
        return ()

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        return await self._nodes.quorum.attested(transfer, block)

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return self._nodes.quorum.denied(transfer, block)

    def endpoints(self) -> Sequence[EndpointReport]:
        return self._nodes.reports()

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return await self._nodes.quorum.look()

    def deposit(self, index: int) -> Deposit:
        return self._deposits.deposit(index)

    def canonical_address(self, text: str) -> str:
        return addresses.parse_ss58(text, self._prefix)

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        """There is no standard that wallets follow; this is what the sandbox's Bittensor has."""
        remark = f"&memo={quote_plus(memo)}" if memo is not None else ""
        asset = quote_plus(token.asset.symbol)
        return f"{self._network.chain_id}/{address}?asset={asset}&units={units}{remark}"

    async def aclose(self) -> None:
        await self._nodes.aclose()
