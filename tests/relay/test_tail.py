"""The relay on a store in memory, and a broker that fails as told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from flamewire_ledger.relay.message import Message
from flamewire_ledger.relay.tail import BrokerUnavailable, Relay
from flamewire_ledger.relay.turns import MemoryTurn, MemoryTurns
from flamewire_ledger.store.memory import MemoryEventStore
from tests.relay.events import NOON, append
from tests.relay.running import running


class Broker:
    """Keeps what was published; fails the next `failures` times, after having taken all but the
    last.
    """

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.messages: list[Message] = []
        self.together: list[int] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            self.messages += messages[:-1]
            raise BrokerUnavailable("as told")
        self.messages += messages
        self.together.append(len(messages))

    @property
    def positions(self) -> list[int]:
        return [n for it in self.messages for n in range(it.first, it.last + 1)]


async def until(broker: Broker, last: int) -> None:
    async with asyncio.timeout(10):
        while last not in broker.positions:
            await asyncio.sleep(0.005)


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore(lambda: NOON)


async def test_everything_committed_is_published_in_order(store: MemoryEventStore):
    broker, turn = Broker(), MemoryTurn()
    await append(store, 250)

    reached = await Relay(store, broker, MemoryTurns(), batch_events_max=100).drain(0, turn)

    assert reached == turn.position == 250
    assert broker.positions == list(range(1, 251))


async def test_what_was_not_confirmed_is_published_again(store: MemoryEventStore):
    broker = Broker(failures=3)
    await append(store, 50)

    async with running(Relay(store, broker, MemoryTurns(), body_bytes_max=2000).run()):
        await until(broker, 50)

    assert list(dict.fromkeys(broker.positions)) == list(range(1, 51))


async def test_the_checkpoint_does_not_move_before_the_broker_has_confirmed(
    store: MemoryEventStore,
):
    turn = MemoryTurn()
    await append(store, 5)

    with pytest.raises(BrokerUnavailable):
        await Relay(store, Broker(failures=1), MemoryTurns()).drain(0, turn)

    assert turn.position == 0


async def test_a_relay_holds_one_batch_however_much_there_is(store: MemoryEventStore):
    broker = Broker()
    await append(store, 500)

    relay = Relay(store, broker, MemoryTurns(), batch_events_max=50, body_bytes_max=1000)
    await relay.drain(0, MemoryTurn())

    assert len(broker.together) == 10
    assert max(broker.together) <= 50


async def test_what_is_committed_while_it_runs_is_published(store: MemoryEventStore):
    broker = Broker()
    async with running(Relay(store, broker, MemoryTurns(), poll_seconds=60).run()):
        for _ in range(5):
            await until(broker, await append(store, 3))

    assert broker.positions == list(range(1, 16))


async def test_of_two_relays_one_works_and_the_other_takes_over(store: MemoryEventStore):
    turns, first, second = MemoryTurns(), Broker(), Broker()
    async with AsyncExitStack() as stack:
        async with running(Relay(store, first, turns).run()):
            await asyncio.sleep(0.01)
            await stack.enter_async_context(running(Relay(store, second, turns).run()))
            await until(first, await append(store, 10))
        await append(store, 10)
        await until(second, 20)

    assert first.positions == list(range(1, 11))
    assert second.positions == list(range(11, 21))


async def test_partitions_are_relayed_side_by_side():
    store = MemoryEventStore(lambda: NOON, partitions=3)
    broker = Broker()
    async with running(Relay(store, broker, MemoryTurns(), poll_seconds=60).run()):
        for partition in range(3):
            await append(store, 4, partition)
        while len(broker.positions) < 12:
            await asyncio.sleep(0.005)

    for partition in range(3):
        mine = [it for it in broker.messages if it.partition == partition]
        assert [n for it in mine for n in range(it.first, it.last + 1)] == [1, 2, 3, 4]
