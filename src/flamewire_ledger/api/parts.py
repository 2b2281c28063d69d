"""Everything the API is made of, handed in by wiring: it names no database, no chain and no clock
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

from flamewire_ledger.api.pricing import Prices
from flamewire_ledger.billing.price_rules import PriceRule
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.commands.decider import Envelope, Failed, Outcome
from flamewire_ledger.domain.payment import LatePolicy
from flamewire_ledger.queries.entitlements import Entitlements
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.security.api_keys import ApiKeys
from flamewire_ledger.security.rate_limits import RateLimits
from flamewire_ledger.security.sealing import Sealing
from flamewire_ledger.signatures.verifier import Verifier
from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from flamewire_ledger.store.usage_items import UsageItems
from flamewire_ledger.store.webhook_queue import WebhookQueue
from flamewire_ledger.webhooks.addresses import Reach

Behaviour: TypeAlias = Literal[
    "normal", "reorg", "reorg_before_final", "reorg_and_back", "drop", "wrong_asset", "failed"
]


class Clock(Protocol):
    def now(self) -> datetime: ...


class Writer(Protocol):
    """Where commands go: commands/writer.py keeps it."""

    async def submit(self, envelope: Envelope) -> Outcome: ...

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class Decoder(Protocol):
    """store/codec.py keeps it."""

    def decode(self, recorded: RecordedEvent) -> Any: ...


class DepositIndexes(Protocol):
    """Numbers for deposit addresses: each is given once on a network (named by its CAIP-2 id)."""

    async def take(self, chain_id: str) -> int: ...

    def give_back(self, chain_id: str, index: int) -> None: ...


class Sandbox(Protocol):
    """Plays the payer and moves the sandbox clock. For test keys."""

    async def pay(
        self,
        network: str,
        address: str,
        symbol: str,
        units: int,
        behaviour: Behaviour,
        mark: str | None,
    ) -> str:
        """Send so many base units on a sandbox chain; the transaction's id. The money appears as
        blocks are made. `mark`: of the way to pay, where it has one.
        """

    async def advance(self, seconds: int) -> datetime:
        """Move the sandbox clock forward; what it says then."""


class Reconciler(Protocol):
    """Compares a merchant's own books with a chain, and records what came of it."""

    async def run(
        self,
        merchant_id: str,
        actor: str,
        chain_id: str,
        first: int | None,
        last: int | None,
    ) -> tuple[str, int]:
        """The id of the run and its position. Raises ChainSilent, and Rejections."""


class ChainSilent(Exception):
    """A chain, or the ledger behind it, does not answer now. Ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing this process needs. `details` are shown as they are: no addresses, no secrets."""

    name: str
    is_ready: bool
    details: Mapping[str, object] = field(default_factory=dict)


class Health(Protocol):
    async def checks(self) -> Sequence[Check]:
        """Every role and server of this process: database, projector and its lag, chains, broker or
        none.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one request may bring."""

    body_bytes_max: int = 1024 * 1024
    header_bytes_max: int = 32 * 1024
    json_depth_max: int = 32
    json_fields_max: int = 256
    json_values_max: int = 32 * 1024  # in the lists and objects of a body
    batch_lines_max: int = 1000
    wait_seconds_max: float = 2.0  # for a read model to come to a position


@dataclass(frozen=True, slots=True)
class Offer:
    """What is promised to payers, from the settings."""

    price_lock_seconds: int = 900
    credit_price: Decimal = Decimal(1)  # US dollars a credit
    late_policy: LatePolicy = field(default_factory=LatePolicy)
    price_rules: Sequence[PriceRule] = ()  # the first that fits a pair is the one
    seller_name: str = ""  # on invoices; the merchant's own name when empty
    challenge_domain: str = "localhost"  # who asks payers to prove that an address is theirs
    challenge_seconds: int = 900


Entropy: TypeAlias = Callable[[int], bytes]


class Meter(Protocol):
    """telemetry.Meters keeps it."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...

    def seconds(self, name: str, value: float, /, **labels: str) -> None: ...

    async def render(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Mode:
    """What test keys and live keys have each for themselves: a clock, prices, and networks."""

    clock: Clock
    prices: Prices
    chains: Sequence[Chain]  # their networks all have this livemode
    sandbox: Sandbox | None = None  # of the test mode, where there is one


@dataclass(frozen=True, slots=True)
class WebhookDesk:
    """Where webhooks are kept, how their secrets are sealed, and what test and live ones may reach."""

    queue: WebhookQueue
    sealer: Sealing
    reach: Callable[[bool], Reach]  # by livemode


@dataclass(frozen=True, slots=True)
class Parts:
    """What create_app is given. Nothing here is opened or closed by the API."""

    store: EventStore
    codec: Decoder
    writer: Writer
    reads: ReadModels
    keys: ApiKeys
    live: Mode
    test: Mode
    deposit_indexes: DepositIndexes
    entropy: Entropy
    monotonic: Callable[[], float]
    rate_limits: RateLimits
    meter: Meter
    health: Health
    signatures: Verifier
    usage_items: UsageItems
    entitlements: Entitlements
    webhooks: WebhookDesk
    limits: Limits = field(default_factory=Limits)
    functional_currency: str = "USD"  # of reports that name none
    offer: Offer = field(default_factory=Offer)
    reconciler: Reconciler | None = None
