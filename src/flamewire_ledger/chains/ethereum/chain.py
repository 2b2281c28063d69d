"""Ethereum through plain nodes: the Chain Protocol over JSON-RPC.

A block and its receipts are asked for together, many blocks in one round trip; the receipts say
what succeeded and hold the Transfer logs, so no range of logs is ever asked for that a provider
could find too wide. What is final is the chain's own word (`finalized`), and a number of
confirmations only where a node has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.chains import addresses
from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    Deposit,
    Heads,
    Network,
    PendingTransfer,
    Token,
)
from flamewire_ledger.chains.ethereum.deposits import DepositAddresses, deposits_of
from flamewire_ledger.chains.ethereum.tokens import check_tokens
from flamewire_ledger.chains.ethereum.transfers import Decoder, block_of
from flamewire_ledger.chains.forwarders import Forwarders
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.transfer import Block

if TYPE_CHECKING:
    from flamewire_ledger.chains.ethereum.connection import Connection, Question

_BLOCKS_MAX: Final = 25  # in one round trip: two questions each


class EthereumChain:
    """A connection to one network. Nothing is imported or opened before it is needed."""

    def __init__(
        self, network: Network, settings: EthereumSettings, now: Callable[[], datetime]
    ) -> None:
        self._network = network
        self._settings = settings
        self._now = now
        self._decoder = Decoder(network)
        self._connection: Connection | None = None
        self._deposits: DepositAddresses | Forwarders | None = None
        self._are_tokens_checked = False
        self._blocks_at_once = _BLOCKS_MAX

    @property
    def network(self) -> Network:
        return self._network

    @property
    def round_trips(self) -> int:
        """How many there have been to nodes so far."""
        return self._connection.round_trips if self._connection else 0

    async def heads(self) -> Heads:
        """Which finality counts is configured: a node that fails to say what is final confirms nothing."""
        await self._check_tokens()
        if self._settings.finality == "confirmations":
            (latest,) = await self._ask(("eth_getBlockByNumber", ["latest", False]))
            block = block_of(_there(latest))
            return Heads(block, max(0, block.height - self._network.confirmations_min + 1))
        latest, finalized = await self._ask(
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getBlockByNumber", ["finalized", False]),
        )
        return Heads(block_of(_there(latest)), block_of(finalized).height if finalized else 0)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """Fewer than asked for when the chain was reorganised meanwhile: ask again from there."""
        found: list[BlockTransfers] = []
        height = max(0, first)
        while height <= last:
            upto = min(last, height + self._blocks_at_once - 1)
            try:
                some = await self._some_blocks(height, upto)
            except ChainUnavailable:
                if found:
                    return found
                if self._blocks_at_once == 1:
                    raise
                self._blocks_at_once = max(1, self._blocks_at_once // 4)  # too much, it may be
                continue
            self._blocks_at_once = min(_BLOCKS_MAX, self._blocks_at_once + 1)
            found += some
            if len(some) < upto - height + 1:
                return found
            height = upto + 1
        return found

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        (answer,) = await self._ask(("eth_getBlockByNumber", [hex(height), False]))
        if answer is None:
            return None
        return block_of(answer), str(answer["parentHash"])

    async def pending(self) -> Sequence[PendingTransfer]:
        """What the node would put into its next block. Nodes without a mempool show nothing."""
        from flamewire_ledger.chains.ethereum.connection import NodeRefused

        if not self._settings.uses_mempool:
            return ()
        try:
            (answer,) = await self._ask(("eth_getBlockByNumber", ["pending", True]))
        except NodeRefused:
            return ()
        if answer is None:
            return ()
        seen_at = self._now()
        return [PendingTransfer(transfer, seen_at) for transfer in self._decoder.pending(answer)]

    def deposit(self, index: int) -> Deposit:
        if self._deposits is None:
            self._deposits = deposits_of(self._settings)
        return self._deposits.deposit(index)

    def canonical_address(self, text: str) -> str:
        return addresses.parse_evm(text)

    def payment_uri(self, token: Token, address: str, units: int) -> str:
        """EIP-681."""
        chain = self._settings.evm_chain_id
        if token.contract is None:
            return f"ethereum:{address}@{chain}?value={units}"
        return f"ethereum:{token.contract}@{chain}/transfer?address={address}&uint256={units}"

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None

    async def _check_tokens(self) -> None:
        """Before anything of the chain is believed, and once. Raises WrongToken."""
        if not self._are_tokens_checked:
            await check_tokens(self._network, lambda questions: self._ask(*questions))
            self._are_tokens_checked = True

    async def _some_blocks(self, first: int, last: int) -> list[BlockTransfers]:
        questions: list[Question] = []
        for height in range(first, last + 1):
            questions.append(("eth_getBlockByNumber", [hex(height), True]))
            questions.append(("eth_getBlockReceipts", [hex(height)]))
        answers = await self._ask(*questions)
        found: list[BlockTransfers] = []
        for block, receipts in zip(answers[::2], answers[1::2], strict=True):
            if block is None or receipts is None:
                break
            decoded = self._decoder.block_transfers(block, receipts)
            if decoded is None:
                break
            found.append(decoded)
        return found

    async def _ask(self, *questions: Question) -> list[Any]:
        if self._connection is None:
            # Web3 takes a second to import, and only who follows this chain needs it.
            from flamewire_ledger.chains.ethereum.connection import Connection

            self._connection = Connection(
                self._settings.rpc_urls,
                self._settings.evm_chain_id,
                timeout_seconds=self._settings.timeout_seconds,
            )
        return await self._connection.ask(questions)


def _there(answer: Any) -> Any:
    if answer is None:
        raise ChainUnavailable("the node has no block yet")
    return answer
