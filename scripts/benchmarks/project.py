"""Events into read models: all of them live from one read of the store, and rebuilds one by one.

The log is what a metered gateway makes: of ten events six burn credits, the rest are payments from
request to success with the credits they buy. The reference is the same SQL with a transaction an
event, which is what most projectors do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import structlog
import uvloop

from flamewire_ledger.domain import credit_account, merchant, payment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.projector.alone import Stretch, apply_stretch
from flamewire_ledger.projector.catalog import Catalog, load_catalog
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import Append, StreamAppend
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.servers import postgres

_PAYMENTS: Final = 2_500
_CONSUMED_EACH: Final = 9
_ALONE_EVENTS: Final = 150
_REBUILT: Final = ("payment_status", "credit_balance", "ledger_entries", "audit_trail")
_NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_USD: Final = Asset("USD", 2)
_TAO: Final = Asset("bittensor:TAO", 9)
_MERCHANT: Final = "mer_01kayv3m8se0p9q7r2t4w6x8za"
_CODEC: Final = Codec()


def run() -> list[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with postgres() as url:
        return uvloop.run(_measure(url))


async def _measure(url: str) -> list[Figure]:
    catalog = load_catalog(_CODEC.classes)
    async with PostgresEventStore(url) as store, write_pool(url) as pool:
        await Projector(pool, store, catalog).catch_up()
        alone = await _one_by_one(pool, catalog)
        for projection in catalog:  # forget what that measured
            await rebuild(pool, store, projection)
        await _record(store)
        live = await _live(pool, store, catalog)
        name = "the same SQL, a transaction an event"
        figures = [Figure("projecting, all read models", live, "events/s", alone, name, 20_000)]
        for chosen in _REBUILT:
            built = await rebuild(pool, store, catalog.get(chosen))
            rate = built.events / built.seconds
            figures.append(Figure(f"rebuild {chosen}", rate, "events/s", alone, name, 30_000))
    return figures


async def _live(pool: WritePool, store: PostgresEventStore, catalog: Catalog) -> float:
    """From a log that is there to the last read model that has all of it."""
    projector = Projector(pool, store, catalog, batch_events_max=5_000)
    head = await store.head(0)
    began = time.perf_counter()
    running = asyncio.create_task(projector.run())
    while not projector.is_ready:  # noqa: ASYNC110 - the projector rings no bell
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    running.cancel()
    return head / seconds


async def _one_by_one(pool: WritePool, catalog: Catalog) -> float:
    """All read models too, with one event in each transaction."""
    store = MemoryEventStore(lambda: _NOON)
    await _record(store, events_max=_ALONE_EVENTS)
    events = await store.read(0, 0, _ALONE_EVENTS)
    began = time.perf_counter()
    async with pool.connection() as connection:
        for event in events:
            for projection in catalog:
                await apply_stretch(connection, projection, "live", Stretch.of([event]))
    return len(events) / (time.perf_counter() - began)


async def _record(store: Any, events_max: int = 10**9) -> None:
    waiting: list[Append] = []
    versions: dict[str, int] = {}
    for number, (stream_id, event) in enumerate(_history()):
        if number == events_max:
            break
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


def _payment(payment_id: str, account_id: str) -> Iterator[tuple[str, Any]]:
    option = payment.PaymentOption(
        "bittensor", "flamewire:sandbox-bittensor", "flamewire:sandbox-bittensor/slip44:1005",
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
    for command in commands:
        for event in credit_account.decide(accounts.get(account_id), command):
            accounts[account_id] = credit_account.evolve(accounts.get(account_id), event)
            yield account_id, event
