"""Ethereum through plain nodes: the Chain Protocol over JSON-RPC.

Blocks are read with their receipts, many in one round trip; the receipts say what succeeded and
hold the Transfer logs, so no range of logs is ever asked for that a provider
could find too wide. What is final is the chain's own word (`finalized`), and a number of
confirmations only where a node has none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
from flamewire_ledger.chains.ethereum.deposits import DepositAddresses, deposits_of
from flamewire_ledger.chains.ethereum.sweep import Held, SweepPlan, held_at, plan_sweep, sums_at
from flamewire_ledger.chains.ethereum.transfers import Decoder
from flamewire_ledger.chains.forwarders import Forwarders
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.transfer import Block, Transfer

if TYPE_CHECKING:
    from flamewire_ledger.chains.ethereum.connection import Question
    from flamewire_ledger.chains.ethereum.nodes import Nodes


class EthereumChain:
    """A connection to one network. Nothing is imported or opened before it is needed."""

    def __init__(
        self,
        network: Network,
        settings: EthereumSettings,
        now: Callable[[], datetime],
        limits: EndpointLimits | None = None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._now = now
        self._limits = limits
        self._decoder = Decoder(network)
        self._nodes: Nodes | None = None
        self._deposits: DepositAddresses | Forwarders | None = None
        self._are_tokens_checked = False

    @property
    def network(self) -> Network:
        return self._network

    @property
    def round_trips(self) -> int:
        """How many there have been to nodes so far."""
        return self._nodes.round_trips if self._nodes else 0

    async def heads(self) -> Heads:
        """Before anything of the chain is believed, the tokens are checked. Raises WrongToken."""
        await self._check_tokens()
        return await self._opened().heads()

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised meanwhile: ask again from there."""
        return await self._opened().blocks(first, last)

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        return await self._opened().block_at(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        """What a node would put into its next block. Nodes without a mempool show nothing."""
        if not self._settings.uses_mempool:
            return ()
        answer = await self._opened().pending()
        if answer is None:
            return ()
        seen_at = self._now()
        return [PendingTransfer(transfer, seen_at) for transfer in self._decoder.pending(answer)]

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        return await self._opened().quorum.attested(transfer, block)

    def denied(self, transfer: Transfer, block: Block) -> bool:
        return self._opened().quorum.denied(transfer, block)

    def endpoints(self) -> Sequence[EndpointReport]:
        if self._nodes is not None:
            return self._nodes.reports()
        return [  # nobody has asked any of them yet
            EndpointReport(number, "standing by" if number > 1 else "in use", None, 0, None)
            for number, _ in enumerate(self._settings.rpc_urls, start=1)
        ]

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        return await self._opened().quorum.look()

    def deposit(self, index: int) -> Deposit:
        if self._deposits is None:
            self._deposits = deposits_of(self._settings)
        return self._deposits.deposit(index)

    def canonical_address(self, text: str) -> str:
        return addresses.parse_evm(text)

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        """EIP-681."""
        chain = self._settings.evm_chain_id
        if token.contract is None:
            return f"ethereum:{address}@{chain}?value={units}"
        return f"ethereum:{token.contract}@{chain}/transfer?address={address}&uint256={units}"

    @property
    def settings(self) -> EthereumSettings:
        return self._settings

    async def held(self, indexes: Sequence[int]) -> Sequence[Held]:
        """Those of these deposits that hold something now. Raises ChainUnavailable."""
        await self._check_tokens()
        return await held_at(
            self._network, self.deposit, indexes, lambda questions: self._ask(*questions)
        )

    async def sums(self, addresses: Collection[str], *, height: int) -> Mapping[str, int]:
        """What these addresses have together at a block, by asset, with what else the networks file says
        is ours: the treasury of forwarders, and its holdings.

        Raises ChainUnavailable, also when no endpoint keeps the state of so old a block.
        """
        await self._check_tokens()
        forwarders = self._settings.forwarders
        treasury = () if forwarders is None else (forwarders.treasury,)
        return await sums_at(
            self._network,
            {*addresses, *self._settings.holdings, *treasury},
            lambda questions: self._ask(*questions),
            hex(height),
        )

    async def plan_sweep(self, indexes: Sequence[int], *, sender: str | None = None) -> SweepPlan:
        """What these forwarders hold, and the calls that move it; nothing is sent.

        Raises NothingToSweepWith and ChainUnavailable.
        """
        await self._check_tokens()
        return await plan_sweep(
            self._network,
            self._settings.forwarders,
            indexes,
            lambda questions: self._ask(*questions),
            sender=sender,
        )

    async def aclose(self) -> None:
        if self._nodes is not None:
            await self._nodes.aclose()
            self._nodes = None

    async def _check_tokens(self) -> None:
        """Before anything of the chain is believed, and once. Raises WrongToken."""
        if not self._are_tokens_checked:
            await self._opened().check_tokens()
            self._are_tokens_checked = True

    async def _ask(self, *questions: Question) -> list[Any]:
        return await self._opened().ask(*questions)

    def _opened(self) -> Nodes:
        if self._nodes is None:
            # Web3 takes a second to import, and only who follows this chain needs it.
            from flamewire_ledger.chains.ethereum.nodes import Nodes

            self._nodes = Nodes(self._network, self._settings, self._decoder, self._limits)
        return self._nodes
