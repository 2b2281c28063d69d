"""A log to archive, and all of it read back."""

from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.store.archives.conftest import SEGMENT_EVENTS
from tests.store.contract import append, to


async def fill(store: PostgresEventStore, events: int = 5 * SEGMENT_EVENTS) -> None:
    """One long stream, and a short one for each of its events."""
    for number in range(events // 2):
        await store.append(0, [append(to("long", number, f"l{number}"), to(f"s{number}", 0, "x"))])


async def everything(store: PostgresEventStore) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    while page := await store.read(0, len(found), 7):
        found += page
    return found
