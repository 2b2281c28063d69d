"""A ledger small enough for a test: the app over a store in memory, its writer, and clocks to turn.

Reads come from read models in Postgres, which `reads` brings up to the store whenever the API waits
for them; a world without a database has none, and only commands can be tried in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from flamewire_ledger.api.app import create_app
from flamewire_ledger.api.parts import (
    Behaviour,
    Check,
    Limits,
    Mode,
    Offer,
    Parts,
    WebhookDesk,
)
from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.chains.sandbox.journal import MemorySandboxJournal
from flamewire_ledger.chains.sandbox.networks import KINDS
from flamewire_ledger.commands import merchant
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import BASE_PRICES, SandboxFeed
from flamewire_ledger.queries.entitlements import Entitlements
from flamewire_ledger.security.api_keys import ApiKey, secret_from, sha256_of
from flamewire_ledger.security.rate_limits import Policy, TokenBuckets
from flamewire_ledger.security.sealing import Sealer
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.memory_webhooks import MemoryWebhooks
from flamewire_ledger.store.usage_items import MemoryUsageItems
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.webhooks.addresses import LOOPBACK, Reach
from flamewire_ledger.wiring.signatures import verifier
from tests.api.conformity import check, check_event
from tests.webhooks.telling import told_of

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class TurnableClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Keys:
    """Keys by their hash."""

    known: dict[str, ApiKey] = field(default_factory=dict)

    async def find(self, secret_sha256: str) -> ApiKey | None:
        return self.known.get(secret_sha256)

    async def changed(self, key_id: str, partition: int, position: int) -> None:
        """What a test knows, it knows at once."""


@dataclass
class Indexes:
    taken: dict[str, int] = field(default_factory=dict)

    async def take(self, chain_id: str) -> int:
        self.taken[chain_id] = self.taken.get(chain_id, -1) + 1
        return self.taken[chain_id]

    def give_back(self, chain_id: str, index: int) -> None:
        assert index == self.taken[chain_id], "it is the last one"
        self.taken[chain_id] -= 1


@dataclass
class Payer:
    """The sandbox as the API sees it."""

    chains: Sequence[SandboxChain]
    clock: TurnableClock

    async def pay(
        self,
        network: str,
        address: str,
        symbol: str,
        units: int,
        behaviour: Behaviour,
        mark: str | None = None,
    ) -> str:
        chain = next(chain for chain in self.chains if chain.network.name == network)
        token = chain.network.token(symbol)
        assert token is not None
        return (await chain.pay(address, token, units, behaviour, mark)).transaction_id

    async def advance(self, seconds: int) -> datetime:
        self.clock.turn(seconds=seconds)
        return self.clock.now()


@dataclass
class Healthy:
    ready: bool = True

    async def checks(self) -> Sequence[Check]:
        return [Check("database", self.ready, {"server": "memory"})]


@dataclass
class World:
    """What a test touches."""

    store: MemoryEventStore
    writer: Writer
    codec: Codec
    clock: TurnableClock
    keys: Keys
    chains: Sequence[SandboxChain]
    indexes: Indexes
    health: Healthy
    meters: Meters
    client: httpx.AsyncClient
    secret: str = ""  # of the first merchant's key, which may do everything
    merchant_id: str = ""
    reads: Any = None
    parts: Any = None
    quotes: dict[str, Decimal] = field(default_factory=dict)  # what the price feeds say
    sequence: int = 0

    def entropy(self, length: int) -> bytes:
        """Different each time, and the same in each run."""
        self.sequence += 1
        return self.sequence.to_bytes(length, "big")

    async def merchant(self, name: str = "shop", *, livemode: bool = False) -> str:
        merchant_id = derived_id("mer", NOON, name, str(livemode))
        origin = Origin(command_id("test", merchant_id), merchant_id, "cli")
        command = RegisterMerchant(merchant_id, name, livemode, self.clock.now())
        assert isinstance(await self.writer.submit(merchant.envelope(origin, command)), Done)
        return merchant_id

    def key(self, merchant_id: str, *scopes: str, livemode: bool = False) -> str:
        """A new key's secret."""
        secret = secret_from(self.entropy(32), livemode=livemode)
        key_id = derived_id("key", NOON, secret)
        found = ApiKey(key_id, merchant_id, livemode, frozenset(scopes or ("*",)))
        self.keys.known[sha256_of(secret)] = found
        return secret

    async def events(self) -> list[RecordedEvent]:
        return list(await self.store.read(0, 0, 100_000))

    async def types(self) -> list[str]:
        """The types of all events but the merchants' own."""
        events = await self.events()
        return [event.type for event in events if not event.type.startswith("merchant.")]

    async def get(self, path: str, *, key: str | None = None, **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.secret}"}
        return await self.client.get(path, headers=headers, params=query)

    async def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> httpx.Response:
        """By another method than the two that most requests have."""
        headers = {"Authorization": f"Bearer {key or self.secret}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def post(
        self,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        once: str | None = "",
        **headers: str,
    ) -> httpx.Response:
        """`once` is the idempotency key: a new one by default, None for none."""
        self.sequence += 1
        sent = {"Authorization": f"Bearer {key or self.secret}", **headers}
        if once is not None:
            sent["Idempotency-Key"] = once or f"key-{self.sequence}"
        return await self.client.post(path, json=body, headers=sent)


@asynccontextmanager
async def world(
    reads: Callable[[MemoryEventStore], Any] | None = None,
    *,
    limits: Limits | None = None,
    offer: Offer | None = None,
    quota: int = 100_000,
    identifies_by: IdentifiesBy = "address",
) -> AsyncIterator[World]:
    """A ledger with one test merchant; `reads` makes its read models."""
    clock, keys, health = TurnableClock(), Keys(), Healthy()
    store, codec = MemoryEventStore(clock.now), Codec()
    journal = MemorySandboxJournal()
    chains = [
        SandboxChain(kind, journal, clock.now, clock.now, identifies_by=identifies_by)
        for kind in KINDS
    ]
    writer = Writer(store, codec)
    indexes, meters = Indexes(), Meters()
    made = World(
        store, writer, codec, clock, keys, chains, indexes, health, meters, httpx.AsyncClient()
    )
    quotes = dict(BASE_PRICES)
    made.quotes = quotes
    prices = PriceBoard([SandboxFeed(name, clock.now, 0, quotes) for name in ("one", "two")])
    made_reads = reads(store) if reads is not None else None
    parts = Parts(
        store=store,
        codec=codec,
        writer=writer,
        reads=made_reads,  # type: ignore[arg-type]
        keys=keys,
        live=Mode(clock, prices, ()),
        test=Mode(clock, prices, chains, Payer(chains, clock)),
        deposit_indexes=indexes,
        entropy=made.entropy,
        monotonic=lambda: clock.now().timestamp(),
        rate_limits=TokenBuckets(Policy(quota, 60), lambda: clock.now().timestamp()),
        meter=meters,
        health=health,
        signatures=verifier({}),
        usage_items=MemoryUsageItems(),
        webhooks=_webhooks(made),
        entitlements=Entitlements(getattr(made_reads, "_pool", None)),  # type: ignore[arg-type]
        limits=limits or Limits(),
        offer=offer or Offer(),
    )
    made.parts = parts
    running = asyncio.create_task(writer.run())
    async with app_over(made, writer) as client:
        made.client = client
        made.merchant_id = await made.merchant()
        made.secret = made.key(made.merchant_id)
        yield made
        events = await made.events()
        for event in events:
            check_event(event.type, event.data)
        told_of(events)
    writer.stop()
    await running


@asynccontextmanager
async def app_over(made: World, writer: Writer) -> AsyncIterator[httpx.AsyncClient]:
    """An application of its own over the store of this world, as another process would be."""
    app = create_app(replace(made.parts, writer=writer))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ledger", event_hooks={"response": [check]}
    ) as client:
        yield client


def _webhooks(made: World) -> WebhookDesk:
    """Test merchants may name receivers on this machine."""
    sealer = Sealer([b"k" * 32], "webhook secrets", made.entropy)
    return WebhookDesk(MemoryWebhooks(), sealer, lambda live: Reach(() if live else LOOPBACK))
