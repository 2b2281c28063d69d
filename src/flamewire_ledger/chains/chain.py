"""The Chain Protocol: what a follower has to be able to ask of any chain.

A chain speaks of blocks and of transfers to addresses. It knows nothing of payments, and keeps
nothing: the follower holds the cursor, asks again after a fault, and can be started at any block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.transfer import Block, Transfer

IdentifiesBy: TypeAlias = Literal["address", "mark", "amount"]
EndpointState: TypeAlias = Literal["in use", "standing by", "set aside"]


@dataclass(frozen=True, slots=True)
class Token:
    """An asset of a network that payments may be asked in."""

    asset: Asset  # code is `network:SYMBOL`
    asset_id: str  # CAIP-19
    contract: str | None = None  # None: the chain's own coin
    least_units: int = 1  # less would not arrive: an account has to begin with so much


@dataclass(frozen=True, slots=True)
class Network:
    """One chain as configured: what it is called, what lives on it, when it is final."""

    name: str  # the alias: ethereum
    chain_id: str  # CAIP-2
    livemode: bool
    tokens: tuple[Token, ...]
    block_seconds: int
    confirmations_min: int  # used where the chain has no finality of its own to ask for
    # What tells payments apart. With `mark` and `amount` all of them have one address.
    identifies_by: IdentifiesBy = "address"

    def token(self, symbol: str) -> Token | None:
        return next((token for token in self.tokens if token.asset.symbol == symbol), None)


@dataclass(frozen=True, slots=True)
class Deposit:
    """Where a payer sends to, and how the key is found again.

    On a network that identifies by mark or by amount the address is the same for every number.
    """

    address: str
    derivation: str  # m/…/7, or whatever finds the key on this network
    memo: str | None = None  # what the payer has to attach
    mark: str | None = None  # what the chain will show of it; another one for each number
    adds_units: int = 0  # to what is due, so that the amount tells payments apart


@dataclass(frozen=True, slots=True)
class Heads:
    """How far the chain is, and how much of that is for ever."""

    latest: Block
    finalized_height: int
    earliest_height: int = 0  # below it there is nothing to be had: endpoints may forget
    is_agreed: bool = True  # told by as many endpoints as the network asks for


@dataclass(frozen=True, slots=True)
class BlockTransfers:
    """One block and every transfer in it that succeeded, to any address the chain can tell of."""

    block: Block
    parent_hash: str
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class PendingTransfer:
    """Seen before any block has it. Chains that cannot show these never give one."""

    transfer: Transfer
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """How one endpoint of a chain does, for people and for metrics. It never holds a URL."""

    number: int  # 1…, as in the networks file
    state: EndpointState
    height: int | None  # of its head when it was last asked; None: never
    failures: int  # how often it was set aside since the process started
    reason: str | None  # why it is set aside, or in what it contradicts others


class Chain(Protocol):
    """A connection to one network. Every method may raise ChainUnavailable; ask again later."""

    @property
    def network(self) -> Network: ...

    async def heads(self) -> Heads: ...

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """The canonical blocks first…last as they are now, in order. Fewer when there are fewer."""

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        """The canonical block at a height and its parent's hash; None when there is none now."""

    async def pending(self) -> Sequence[PendingTransfer]: ...

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        """Whether enough endpoints say that this final block holds it; True where one is enough."""

    def denied(self, transfer: Transfer, block: Block) -> bool:
        """Whether most endpoints said, when that was asked last, that this block is final and does
        not hold it. Nobody is asked; too few that can be reached deny nothing.
        """

    def endpoints(self) -> Sequence[EndpointReport]:
        """What is known of each endpoint. Nobody is asked; a chain without endpoints has none."""

    async def look_at_endpoints(self) -> Sequence[EndpointReport]:
        """The same after asking each endpoint now. It raises nothing: reports say what is wrong."""

    def deposit(self, index: int) -> Deposit:
        """The address for a number, the same each time. No secret is needed, and none is held."""

    def canonical_address(self, text: str) -> str:
        """The one spelling of an address; raises InvalidAddress with the reason when it is none."""

    def payment_uri(self, token: Token, address: str, units: int, memo: str | None = None) -> str:
        """What a wallet opens; with the deposit's memo where the chain's URIs have a place for it."""

    async def aclose(self) -> None: ...


class ChainUnavailable(Exception):
    """The chain's endpoint did not answer, or answered nonsense."""


class QuestionRefused(ChainUnavailable):
    """Any endpoint would refuse this question: there is no use in asking another."""


class Throttled(ChainUnavailable):
    """An endpoint wants to be asked less; for how long it wants to be left alone, if it says so."""

    def __init__(self, sentence: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class WrongChain(Exception):
    """An endpoint is of another chain than configured. Nothing it says is to be believed."""


class WrongToken(WrongChain):
    """A token of the networks file is not what the chain has there. The message says what to correct."""
