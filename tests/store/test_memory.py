"""The store in memory keeps the contract."""

from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.store.memory import MemoryEventStore
from tests.store.contract import EventStoreContract, append, to


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore(lambda: datetime.now(UTC), partitions=2)


class TestMemoryEventStore(EventStoreContract):
    pass


async def test_recorded_at_never_goes_back_with_the_clock():
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    store = MemoryEventStore(lambda: next(times))
    await store.append(0, [append(to("a", 0, "one"))])
    await store.append(0, [append(to("a", 1, "two"))])
    first, second = await store.read(0, 0, 2)
    assert second.recorded_at - first.recorded_at == timedelta(0)
