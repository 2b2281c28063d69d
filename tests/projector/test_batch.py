"""What statements read is what was recorded, and nothing of another transaction."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from flamewire_ledger.projector.batch import Item, reading_batch, stage
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.store.event_store import RecordedEvent
from tests.projector.notes import FILES, notes, only

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = {"types": None, "after": 0, "positions": None}
ASKING_WHO = FILES["project.sql"].replace(
    "WHERE note_id IN (SELECT data", "WHERE note_id IN (SELECT actor || data"
)


def _event(
    position: int,
    data: bytes = b"{}",
    *,
    stream_id: str = "note_1",
    event_type: str = "note.torn.v1",
    metadata: bytes = b"{}",
) -> Item:
    return Item(
        RecordedEvent(
            position, 0, stream_id, 3, event_type, data, "mer_1", UUID(int=1), metadata, NOON
        )
    )


async def _batch(connection: WriteConnection, **given: Any) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
    await cursor.execute(reading_batch("SELECT * FROM batch"), {**EVERYTHING, **given})
    return await cursor.fetchall()


async def test_an_event_is_read_as_it_was_recorded_whatever_signs_are_in_it(
    pool: WritePool, tmp_path: Path
) -> None:
    said = {"text": 'tab\t line\n return\r back\\slash \\N \\. "quoted" ümlaut \u2028'}
    spaced = b'{\n\t"units":\r"1e5",  "deep": ' + json.dumps(said).encode() + b"}"
    odd = _event(
        7,
        spaced,
        stream_id="a\tb\\N\nc",
        metadata=b'{"actor": "key:\\"1\\\\", "position": 99, "causation_id": null}',
    )
    projection = only(notes(tmp_path, project_sql=ASKING_WHO))
    async with pool.connection() as connection, connection.transaction():
        await stage(connection, [projection], [odd])
        (row,) = await _batch(connection)
    assert row["data"] == {"units": "1e5", "deep": said}
    assert row["stream_id"] == "a\tb\\N\nc"
    assert row["actor"] == 'key:"1\\'
    assert row["causation_id"] is None
    assert (row["position"], row["version"], row["recorded_at"]) == (7, 3, NOON)
    assert (row["command_id"], row["merchant_id"]) == (UUID(int=1), "mer_1")


async def test_a_statement_reads_only_its_types_behind_its_mark(
    pool: WritePool, tmp_path: Path
) -> None:
    types = ["note.torn.v1", "note.written.v1", "note.torn.v1", "note.torn.v1"]
    items = [_event(number, event_type=each) for number, each in enumerate(types, 1)]
    async with pool.connection() as connection, connection.transaction():
        await stage(connection, [only(notes(tmp_path))], items)
        rows = await _batch(connection, types=["note.torn.v1"], after=1)
        assert [row["position"] for row in rows] == [3, 4]
        rows = await _batch(connection, types=["note.torn.v1"], positions=[1, 2, 4])
        assert [row["position"] for row in rows] == [1, 4]


async def test_what_nobody_looks_at_is_not_sent(pool: WritePool, tmp_path: Path) -> None:
    items = [
        _event(1, b"no JSON", event_type="other.v1"),
        _event(2, b'{"note_id":"a"}', metadata=b"no JSON"),
    ]
    async with pool.connection() as connection, connection.transaction():
        await stage(connection, [only(notes(tmp_path))], items)
        (row,) = await _batch(connection)
    assert row["position"] == 2


async def test_a_batch_is_gone_with_its_transaction_and_with_the_next_one(
    pool: WritePool, tmp_path: Path
) -> None:
    projection = only(notes(tmp_path))
    async with pool.connection() as connection:
        async with connection.transaction():
            await stage(connection, [projection], [_event(1)])
            await stage(connection, [projection], [_event(2)])
            assert [row["position"] for row in await _batch(connection)] == [2]
        assert await _batch(connection) == []


@pytest.mark.parametrize("count", [499, 500, 1_201])
async def test_a_large_batch_goes_in_several_messages(
    pool: WritePool, tmp_path: Path, count: int
) -> None:
    items = [_event(number) for number in range(1, count + 1)]
    async with pool.connection() as connection, connection.transaction():
        await stage(connection, [only(notes(tmp_path))], items)
        assert [row["position"] for row in await _batch(connection)] == list(range(1, count + 1))
