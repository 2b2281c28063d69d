"""How a batch becomes statements."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from flamewire_ledger.projector.apply import Item, steps
from flamewire_ledger.store.event_store import RecordedEvent
from tests.projector.notes import notes, only

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _item(position: int, note: str, what: str, metadata: bytes = b"{}") -> Item:
    data = json.dumps({"note_id": note, "number": str(position)}).encode()
    return Item(
        RecordedEvent(
            position, 0, note, 1, f"note.{what}.v1", data, "mer_1", UUID(int=1), metadata, NOON
        )
    )


def _shape(items: list[Item], folder: Path) -> list[list[int]]:
    found = []
    for _, texts in steps(only(notes(folder)), items):
        found.append([json.loads(text)["position"] for text in texts])
    return found


def test_the_nth_runs_of_all_keys_are_applied_together(tmp_path: Path) -> None:
    items = [
        _item(1, "a", "written"),
        _item(2, "b", "written"),
        _item(3, "a", "changed"),
        _item(4, "a", "changed"),
        _item(5, "b", "changed"),
        _item(6, "a", "torn"),
        _item(7, "a", "written"),
    ]
    assert _shape(items, tmp_path) == [[1, 2], [3, 4, 5], [6], [7]]


def test_a_key_never_sees_a_later_event_before_an_earlier_one(tmp_path: Path) -> None:
    items = [
        _item(1, "a", "torn"),
        _item(2, "b", "written"),
        _item(3, "a", "written"),
        _item(4, "b", "torn"),
    ]
    order = [position for step in _shape(items, tmp_path) for position in step]
    assert order.index(1) < order.index(3)
    assert order.index(2) < order.index(4)


def test_the_text_has_the_data_as_it_was_recorded() -> None:
    event = _item(1, "a", "written").event
    odd = RecordedEvent(
        1, 0, 'quote"d', 1, "note.written.v1", b'{"units":  "1e5", "x": 1.50}', "mer_1",
        UUID(int=1), b'{"actor":"key:1","position":99}', NOON,
    )  # fmt: skip
    text = Item(odd).whole
    assert b'"data":{"units":  "1e5", "x": 1.50}' in text
    read = json.loads(text)
    assert read["stream_id"] == 'quote"d'
    assert read["actor"] == "key:1"
    assert read["position"] == 1, "metadata cannot speak over the envelope"
    assert json.loads(Item(event).envelope)["recorded_at"] == "2026-03-01T12:00:00Z"
