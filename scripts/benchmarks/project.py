"""Events into read models: each of them catching up alone, all of them live, and rebuilds.

The log is what a metered gateway makes: of ten events six burn credits, the rest are payments from
request to success with the credits they buy; then, for what a gateway does all day, events that
only burn credits, of a thousand accounts. The reference is the same SQL with a transaction an
event, which is what most projectors do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import psutil
import structlog
import uvloop

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.domain import credit_account, merchant, payment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.projector.alone import Stretch, apply_stretch, catch_up
from flamewire_ledger.projector.catalog import Catalog, Projection, load_catalog
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import Append, EventStore, StreamAppend
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.processes import Cost, cost, in_words, split, tree
from scripts.benchmarks.servers import postgres_server

_PAYMENTS: Final = 5_000
_CONSUMED_EACH: Final = 9
_GATEWAY_EVENTS: Final = 100_000
_GATEWAY_ACCOUNTS: Final = 1_000
_ALONE_EVENTS: Final = 150
_BATCH_EVENTS_MAX: Final = 5_000
_BALANCES: Final = ("credit_balance", "account_balance")
_REFERENCE: Final = "the same SQL, a transaction an event"
_NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_USD: Final = Asset("USD", 2)
_TAO: Final = Asset("bittensor:TAO", 9)
_MERCHANT: Final = "mer_01kayv3m8se0p9q7r2t4w6x8za"
_CODEC: Final = Codec()


def run() -> list[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with postgres_server() as server:
        mixed = uvloop.run(_measure(server, _history(), "a gateway with payments"))
    with postgres_server() as server:
        return mixed + uvloop.run(_measure(server, _gateway(), "credits burnt"))


@dataclass(slots=True)
class _Watch:
    """How fast something goes, and what it costs, in Python and in Postgres."""

    server: EmbeddedPostgres
    reference: float  # events a second

    async def of(self, name: str, work: Awaitable[int], target: float) -> Figure:
        """The work says how many events it took."""
        before, began = self._costs(), time.perf_counter()
        events = await work
        seconds = time.perf_counter() - began
        note = in_words(split(before, self._costs(), events))
        return Figure(
            name, events / seconds, "events/s", self.reference, _REFERENCE, target, note=note
        )

    def _costs(self) -> Mapping[str, Cost]:
        return {
            "Python": cost([psutil.Process()]),
            "Postgres": cost(tree(self.server.pid)),
        }


async def _measure(
    server: EmbeddedPostgres, history: Iterable[tuple[str, Any]], of_what: str
) -> list[Figure]:
    catalog = load_catalog(_CODEC.classes)
    async with PostgresEventStore(server.url) as store, write_pool(server.url) as pool:
        await Projector(pool, store, catalog).catch_up()
        watch = _Watch(server, await _one_by_one(pool, catalog))
        await _begin_again(pool, catalog)
        await _record(store, history)
        figures = []
        for projection in catalog:
            name = f"{projection.name} alone, {of_what}"
            figures.append(await watch.of(name, _alone(pool, store, projection), 40_000))
        await _begin_again(pool, catalog)
        all_of_them = _live(pool, store, catalog)
        figures.append(await watch.of(f"all read models, {of_what}", all_of_them, 25_000))
        for chosen in _BALANCES:
            again = _rebuild(pool, store, catalog.get(chosen))
            figures.append(await watch.of(f"rebuild {chosen}, {of_what}", again, 100_000))
    return figures


async def _begin_again(pool: WritePool, catalog: Catalog) -> None:
    """Read models that have seen nothing."""
    for projection in catalog:
        await rebuild(pool, MemoryEventStore(lambda: _NOON), projection)


async def _alone(pool: WritePool, store: PostgresEventStore, projection: Projection) -> int:
    head = await store.head(0)
    return await catch_up(pool, store, projection, 0, head, events_max=_BATCH_EVENTS_MAX)


async def _rebuild(pool: WritePool, store: PostgresEventStore, projection: Projection) -> int:
    return (await rebuild(pool, store, projection)).events


async def _live(pool: WritePool, store: PostgresEventStore, catalog: Catalog) -> int:
    """From a log that is there to the last read model that has all of it."""
    projector = Projector(pool, store, catalog, batch_events_max=_BATCH_EVENTS_MAX)
    head = await store.head(0)
    running = asyncio.create_task(projector.run())
    while not projector.is_ready:  # noqa: ASYNC110 - the projector rings no bell
        await asyncio.sleep(0.005)
    running.cancel()
    return head


async def _one_by_one(pool: WritePool, catalog: Catalog) -> float:
    """All read models too, with one event in each transaction."""
    store = MemoryEventStore(lambda: _NOON)
    await _record(store, islice(_history(), _ALONE_EVENTS))
    events = await store.read(0, 0, _ALONE_EVENTS)
    began = time.perf_counter()
    async with pool.connection() as connection:
        for event in events:
            for projection in catalog:
                await apply_stretch(connection, projection, "live", Stretch.of([event]))
    return len(events) / (time.perf_counter() - began)


async def _record(store: EventStore, history: Iterable[tuple[str, Any]]) -> None:
    waiting: list[Append] = []
    versions: dict[str, int] = {}
    for stream_id, event in history:
        version = versions.get(stream_id, 0)
        versions[stream_id] = version + 1
        stream = StreamAppend(stream_id, version, (_CODEC.encode(event),))
        metadata = b'{"actor":"key:key_1","causation_id":null,"correlation_id":null}'
        waiting.append(Append(uuid4(), b"", _MERCHANT, metadata, (stream,)))
        if len(waiting) == 1_000:
            await store.append(0, waiting)
            waiting.clear()
    await store.append(0, waiting)


def _history() -> Iterator[tuple[str, Any]]:
    command: Any = merchant.RegisterMerchant(_MERCHANT, "bench", False, _NOON)
    yield _MERCHANT, merchant.decide(None, command)[0]
    accounts: dict[str, Any] = {}
    for number in range(_PAYMENTS):
        account_id = f"ca_{number % 200:026d}"
        yield from _payment(f"pi_{number:026d}", account_id)
        yield from _credits(accounts, account_id, number)


def _gateway() -> Iterator[tuple[str, Any]]:
    """Accounts with plenty of credits, and one after the other burns some."""
    command: Any = merchant.RegisterMerchant(_MERCHANT, "bench", False, _NOON)
    yield _MERCHANT, merchant.decide(None, command)[0]
    plenty, unit = (Amount(credit_account.CREDIT, units) for units in (10**12, 1_000))
    accounts: dict[str, Any] = {}
    for number in range(_GATEWAY_EVENTS):
        account_id = f"ca_{number * 7_919 % _GATEWAY_ACCOUNTS:026d}"
        commands: list[Any] = [credit_account.ConsumeCredits(account_id, unit, _NOON, "eth_call")]
        if account_id not in accounts:
            commands = [
                credit_account.OpenCreditAccount(account_id, None, None, _NOON),
                credit_account.GrantCredits(
                    account_id, f"gr_{number:026d}", plenty, "purchased", _NOON
                ),
            ]
        yield from _decided(accounts, account_id, commands)


def _payment(payment_id: str, account_id: str) -> Iterator[tuple[str, Any]]:
    option = payment.PaymentOption(
        "bittensor", "sandbox:bittensor", "sandbox:bittensor/slip44:1005",
        Amount(_TAO, 60_606_061), f"5F{payment_id}", f"bittensor:5F{payment_id}", None,
    )  # fmt: skip
    sent = Transfer("bittensor", f"0x{payment_id}", 0, option.address, option.due)
    block = Block(7, "0xb7", _NOON)
    promised = Amount(credit_account.CREDIT, 25_000_000)
    state: Any = None
    for command in (
        payment.RequestPayment(
            payment_id, Amount(_USD, 2_500), (option,), promised, account_id, "order", _NOON,
            _NOON + timedelta(minutes=15),
        ),
        payment.RecordTransfer(payment_id, sent, None, _NOON),
        payment.ConfirmTransfer(payment_id, sent, block, 3, _NOON, _NOON),
    ):  # fmt: skip
        for event in payment.decide(state, command):
            state = payment.evolve(state, event)
            yield payment_id, event


def _credits(accounts: dict[str, Any], account_id: str, number: int) -> Iterator[tuple[str, Any]]:
    unit = Amount(credit_account.CREDIT, 1_000)
    bought = Amount(credit_account.CREDIT, 25_000_000)
    grant_id = f"gr_{number:026d}"
    commands: list[Any] = []
    if account_id not in accounts:
        commands.append(credit_account.OpenCreditAccount(account_id, None, None, _NOON))
    commands.append(credit_account.GrantCredits(account_id, grant_id, bought, "purchased", _NOON))
    commands += [
        credit_account.ConsumeCredits(account_id, unit, _NOON, "eth_call")
        for _ in range(_CONSUMED_EACH)
    ]
    yield from _decided(accounts, account_id, commands)


def _decided(
    accounts: dict[str, Any], account_id: str, commands: Iterable[Any]
) -> Iterator[tuple[str, Any]]:
    for command in commands:
        for event in credit_account.decide(accounts.get(account_id), command):
            accounts[account_id] = credit_account.evolve(accounts.get(account_id), event)
            yield account_id, event
