"""A small projection of the tests' own: notes that are written, changed and torn up.

Its statements take runs, and one of them fails on what is no number: that is the poison.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import msgspec

from flamewire_ledger.projector.catalog import Catalog, Projection, load_catalog
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.store.event_store import Append, EventStore, NewEvent, StreamAppend


@dataclass(frozen=True, slots=True)
class NoteWritten:
    type: ClassVar = "note.written.v1"
    note_id: str
    number: str


@dataclass(frozen=True, slots=True)
class NoteChanged:
    type: ClassVar = "note.changed.v1"
    note_id: str
    number: str


@dataclass(frozen=True, slots=True)
class NoteTorn:
    type: ClassVar = "note.torn.v1"
    note_id: str


CLASSES = {each.type: each for each in (NoteWritten, NoteChanged, NoteTorn)}
FILES = {
    "projection.toml": """
name = "notes"
version = 1
reads = ["note.written.v1", "note.changed.v1", "note.torn.v1"]
key = "note_id"
answers = "What does this note say?"
lag_seconds_max = 1
""",
    "schema.sql": """
-- One row a note.
CREATE TABLE notes_v1 (
    note_id   text PRIMARY KEY,
    number    integer NOT NULL,
    changes   integer NOT NULL DEFAULT 0,
    position  bigint NOT NULL
);

CREATE INDEX notes_v1_by_number ON notes_v1 (number);
""",
    "project.sql": """
-- on: note.written.v1
INSERT INTO notes_v1 (note_id, number, position)
SELECT data->>'note_id', (data->>'number')::integer, position
FROM batch;

-- on: note.changed.v1
UPDATE notes_v1 AS note
SET number = change.number, changes = note.changes + change.times, position = change.position
FROM (
    SELECT data->>'note_id' AS note_id, count(*) AS times, max(position) AS position,
        (array_agg((data->>'number')::integer ORDER BY position DESC))[1] AS number
    FROM batch
    GROUP BY 1
) AS change
WHERE note.note_id = change.note_id;

-- on: note.torn.v1
DELETE FROM notes_v1
WHERE note_id IN (SELECT data->>'note_id' FROM batch);
""",
    "queries.sql": """
-- all_notes: every note.
SELECT * FROM notes_v1 ORDER BY note_id;
""",
    "example.json": "{}",
}


def notes(folder: Path, **files: str) -> Catalog:
    """A catalog of this one projection, some of its files changed: `schema_sql=…`."""
    place = folder / "notes"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (place / name).write_text(files.get(name.replace(".", "_"), text))
    return load_catalog(CLASSES, folder)


def only(catalog: Catalog) -> Projection:
    return next(iter(catalog))


async def write(store: EventStore, *said: Any, partition: int = 0, merchant: str = "mer_1") -> None:
    """Append events, each to its note's stream."""
    for event in said:
        stream = await store.read_stream(partition, event.note_id)
        data = msgspec.json.encode(event)
        appended = await store.append(
            partition,
            [
                Append(
                    command_id=uuid4(),
                    fingerprint=b"",
                    merchant_id=merchant,
                    metadata=b'{"actor":"test"}',
                    streams=(
                        StreamAppend(event.note_id, len(stream), (NewEvent(event.type, data),)),
                    ),
                )
            ],
        )
        assert hasattr(appended[0], "position"), appended


async def rows(pool: WritePool, generation: str = "read_models") -> dict[str, tuple[int, int]]:
    """note → (number, how often changed), as the live tables have it."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT note_id, number, changes FROM {generation}.notes_v1"
        )  # type: ignore[arg-type]
        return {note_id: (number, changes) for note_id, number, changes in await cursor.fetchall()}
