"""How a batch becomes statements."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from flamewire_ledger.projector.apply import steps
from flamewire_ledger.projector.batch import Item
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
    for _, types, positions in steps(only(notes(folder)), items):
        assert types is not None
        found.append([each for each in positions or [] if items[each - 1].event.type in types])
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
