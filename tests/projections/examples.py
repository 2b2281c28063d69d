"""Runs a projection's example: its events into Postgres in batches, then its questions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from flamewire_ledger.projector.alone import Stretch, apply_stretch
from flamewire_ledger.projector.catalog import Catalog, load_catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.queries.database import ask, read_pool
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore

CODEC = Codec()
CATALOG: Catalog = load_catalog(CODEC.classes)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_METADATA = b'{"actor":"key:key_till","causation_id":null,"correlation_id":"req_1"}'


def given(example: dict[str, Any]) -> list[RecordedEvent]:
    """The events with the positions and versions they would have; their data is checked."""
    versions: dict[str, int] = {}
    events = []
    for position, said in enumerate(example["given"], 1):
        stream_id = said["stream_id"]
        versions[stream_id] = versions.get(stream_id, 0) + 1
        event = RecordedEvent(
            position=position,
            partition=0,
            stream_id=stream_id,
            version=versions[stream_id],
            type=said["type"],
            data=msgspec.json.encode(said["data"]),
            merchant_id=said["merchant_id"],
            command_id=UUID(int=position),
            metadata=_METADATA,
            recorded_at=NOON,
        )
        CODEC.decode(event)
        events.append(event)
    return events


async def answers(
    database_url: str, name: str, example: dict[str, Any], *, batch: int, times: int = 1
) -> list[list[dict[str, Any]]]:
    """What the example's questions are answered after its events came in batches, so many times."""
    await _apply(database_url, name, example, batch, times)
    async with read_pool(database_url) as reading:
        return [
            [plain(row) for row in await ask(reading, asked["question"], **asked["with"])]
            for asked in example["asked"]
        ]


async def _apply(
    database_url: str, name: str, example: dict[str, Any], batch: int, times: int
) -> None:
    projections = [CATALOG.get(name), *(CATALOG.get(other) for other in CATALOG.get(name).joins)]
    events = given(example)
    async with write_pool(database_url) as writing:
        for projection in projections:
            await rebuild(writing, MemoryEventStore(lambda: NOON), projection)
            async with writing.connection() as connection:
                for _ in range(times):
                    for begin in range(0, len(events), batch):
                        stretch = Stretch.of(events[begin : begin + batch])
                        await apply_stretch(connection, projection, "live", stretch)


async def table_rows(
    database_url: str, name: str, example: dict[str, Any], *, batch: int
) -> dict[str, list[str]]:
    """Every row, table by table, whole: also what no question shows."""
    await _apply(database_url, name, example, batch, times=1)
    found = {}
    async with write_pool(database_url) as writing, writing.connection() as connection:
        for table in CATALOG.get(name).tables:
            every = sql.SQL("SELECT to_jsonb(row)::text FROM {table} AS row ORDER BY 1").format(
                table=sql.Identifier("read_models", table)
            )
            cursor = await connection.execute(every)
            found[table] = [text for (text,) in await cursor.fetchall()]
    return found


def plain(value: Any) -> Any:
    """As JSON has it: times with a Z, decimals as text, units of sums as numbers."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    return value
