"""The broker is killed under load, and its queues are purged: read models and processes complete
themselves.

Everything is real here: Postgres, RabbitMQ, the writer, the relay, the projector, the reactor.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from flamewire_ledger.commands import credit_account
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import CREDIT, ConsumeCredits, GrantCredits
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.processes.checkpoint import PostgresCheckpoints, PostgresDeadLetters
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.reversal import Reversal
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.difference import difference
from flamewire_ledger.projector.installed import statuses
from flamewire_ledger.relay.consumer import Consumer
from flamewire_ledger.relay.message import pack
from flamewire_ledger.relay.rabbitmq import FAULTS, RabbitPublisher
from flamewire_ledger.relay.tail import Relay
from flamewire_ledger.relay.turns import MemoryTurns, PostgresTurns
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.processes.stories import (
    ACCOUNT,
    CODEC,
    GRANT,
    LOCK,
    MERCHANT,
    NOON,
    confirmed,
    locked,
    opened,
    record,
    requested,
    succeeded,
)
from tests.relay.conftest import Corner
from tests.relay.events import append, recorded
from tests.relay.running import running, until
from tests.services.rabbitmq import Broker

# How long the broker stays away; the full proof is a minute.
OUTAGE_SECONDS = float(os.environ.get("FLAMEWIRE_TEST_OUTAGE_SECONDS", "5"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class System:
    """All parts of a ledger but the doors, on a database and a broker."""

    def __init__(
        self, store: PostgresEventStore, connections: Connections, pool: WritePool, url: str
    ) -> None:
        self.store, self.pool = store, pool
        self.writer = Writer(store, CODEC)
        self.publisher = RabbitPublisher(url, 1, confirm_seconds_max=3)
        self.relay = Relay(store, self.publisher, PostgresTurns(connections, standby_seconds=0.1))
        self.to_projector = Consumer(url, "projector", 1)
        self.to_reactor = Consumer(url, "reactor", 1)
        self.catalog = load_catalog(CODEC.classes)
        self.projector = Projector(pool, store, self.catalog, self.to_projector)
        self.reactor = Reactor(
            store,
            Reactions(store, CODEC, self.writer),
            (Settlement(), Reversal()),
            PostgresCheckpoints(connections),
            PostgresDeadLetters(connections),
            sweep_seconds=1,
        )
        self.recorded = 0

    def parts(self):  # type: ignore[no-untyped-def]
        """What runs for as long as the system does."""
        return (
            self.writer.run(),
            self.relay.run(),
            self.to_projector.run(),
            self.to_reactor.run(),
            self.projector.run(),
            self.reactor.run(self.to_reactor),
        )

    async def load(self) -> None:
        """Consume credits and settle payments, without a pause, until cancelled."""
        while True:
            self.recorded += 1
            await asyncio.gather(*(self._consume(f"{self.recorded}/{n}") for n in range(10)))
            await self._pay(str(self.recorded))

    async def _consume(self, name: str) -> None:
        command = ConsumeCredits(ACCOUNT, Amount(CREDIT, 1), NOON)
        assert isinstance(await self._send(name, command), Done)

    async def _send(self, name: str, command: ConsumeCredits | GrantCredits) -> object:
        origin = Origin(command_id("load", name), MERCHANT, "key:test")
        return await self.writer.submit(credit_account.envelope(origin, command))

    async def _pay(self, name: str) -> None:
        payment_id = derived_id("pi", NOON, name)
        await record(
            self.store,
            payment_id,
            requested(payment_id=payment_id),
            confirmed(payment_id=payment_id),
            succeeded(derived_id("gr", NOON, name), payment_id=payment_id),
        )

    async def begin(self) -> None:
        await record(self.store, LOCK, locked())
        await record(self.store, ACCOUNT, opened())
        grant = GrantCredits(ACCOUNT, GRANT, Amount(CREDIT, 10**12), "granted", NOON)
        assert isinstance(await self._send("grant", grant), Done)

    async def is_complete(self) -> bool:
        """Whether every read model and process has everything, and nothing more comes of it."""
        head = await self.store.head(0)
        found = await statuses(self.pool, self.store, self.catalog, NOON)
        return self.reactor.position(0) == head and all(it["position"] == head for it in found)


async def purged(broker: Broker) -> bool:
    """Empty the queues; a quorum queue takes a while to find itself after a kill -9."""
    try:
        async with asyncio.timeout(10):
            await Corner(broker.url, "").purge()
    except FAULTS:
        return False
    return True


@pytest.fixture
async def system(ledger_url: str, rabbitmq_server: Broker) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresEventStore(ledger_url))
        connections = Connections(ledger_url, size_max=4)
        stack.push_async_callback(connections.close)
        pool = write_pool(ledger_url)
        await pool.open()
        stack.push_async_callback(pool.close)
        system = System(store, connections, pool, rabbitmq_server.url)
        stack.push_async_callback(system.publisher.close)
        yield system


async def test_a_broker_killed_under_load_and_purged_is_a_delay_and_no_hole(
    system: System, rabbitmq_server: Broker
):
    async with running(*system.parts()):
        await system.begin()
        async with running(system.load()):
            await until(lambda: system.to_projector.connected and system.to_reactor.connected)
            await asyncio.sleep(2)
            rabbitmq_server.kill()
            before = system.recorded
            await asyncio.sleep(OUTAGE_SECONDS)
            assert system.recorded > before  # commands do not wait for the broker
            await asyncio.to_thread(rabbitmq_server.start)
            await until(lambda: purged(rabbitmq_server), seconds_max=60)
            await asyncio.sleep(1)
        await until(system.is_complete, seconds_max=60)

        for projection in system.catalog:
            found = await difference(system.pool, system.store, projection)
            assert found.is_equal, found
        events: list[RecordedEvent] = []
        while page := await system.store.read(0, len(events), 50_000):
            events += page
        paid = sum(event.type == "payment.succeeded.v1" for event in events)
        receipts = [CODEC.decode(it) for it in events if it.type == "invoice.issued.v1"]
        assert [it.number for it in receipts] == [f"2026-{n:06d}" for n in range(1, paid + 1)]
        granted = sum(event.type == "credit_account.granted.v1" for event in events)
        assert granted == paid + 1


async def test_queues_that_a_killed_broker_does_not_give_back_are_made_anew(
    rabbitmq_server: Broker, amqp_prefix: str
):
    # Killed right after quorum queues were made, 3.10 lists them ever after and never confirms.
    url, seen = rabbitmq_server.url, set[int]()
    store = MemoryEventStore(lambda: NOON)
    publisher = RabbitPublisher(url, 1, prefix=amqp_prefix, confirm_seconds_max=2)
    relay = Relay(store, publisher, MemoryTurns())
    consumers = [
        Consumer(url, group, 1, prefix=amqp_prefix, subscribe_seconds_max=3)
        for group in ("projector", "reactor")
    ]

    async def read() -> None:
        async for delivery in consumers[0]:
            seen.update(event.position for event in delivery.events)
            await delivery.done()

    await publisher.publish(list(pack([recorded(1)])))
    rabbitmq_server.kill()
    await asyncio.to_thread(rabbitmq_server.start)
    async with running(relay.run(), read(), *(consumer.run() for consumer in consumers)):
        await append(store, 50)
        await until(lambda: seen == set(range(1, 51)), seconds_max=120)
    await publisher.close()


def control(broker: Broker, *words: str) -> None:
    subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmqctl", *words],
        env=broker._environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )


async def test_a_broker_with_an_alarm_is_waited_for_without_piling_anything_up(
    rabbitmq_server: Broker, amqp_prefix: str
):
    # Under an alarm the broker stops reading from those who publish: nothing fails, nothing comes.
    store = MemoryEventStore(lambda: NOON)
    publisher = RabbitPublisher(rabbitmq_server.url, 1, prefix=amqp_prefix, confirm_seconds_max=1)
    consumer = Consumer(rabbitmq_server.url, "projector", 1, prefix=amqp_prefix)
    seen: list[int] = []

    async def read() -> None:
        async for delivery in consumer:
            seen.extend(event.position for event in delivery.events)
            await delivery.done()

    relay = Relay(store, publisher, MemoryTurns(), batch_events_max=10)
    async with running(relay.run(), consumer.run(), read()):
        await append(store, 5)
        await until(lambda: len(seen) == 5)
        await asyncio.to_thread(control, rabbitmq_server, "set_vm_memory_high_watermark", "0")
        await append(store, 500)
        await asyncio.sleep(4)
        during = len(asyncio.all_tasks())
        await asyncio.to_thread(control, rabbitmq_server, "set_vm_memory_high_watermark", "0.6")
        await until(lambda: set(seen) == set(range(1, 506)))
    await publisher.close()

    assert during < 20
