"""What is published in schemas/ is what the code says."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from flamewire_ledger.api.event_schemas import schemas
from flamewire_ledger.store.codec import event_classes
from scripts.published_schemas import drift, write


def test_nothing_has_drifted():
    assert drift() == []


def test_drift_is_seen(tmp_path: Path):
    write(tmp_path)
    assert drift(tmp_path) == []
    changed = tmp_path / "events" / "payment.canceled.v1.json"
    changed.write_text(changed.read_text().replace("canceled_at", "canceled_when"))
    (tmp_path / "events" / "payment.forgotten.v1.json").write_text("{}")
    (tmp_path / "openapi" / "v1.json").unlink()
    assert drift(tmp_path) == [
        "events/payment.canceled.v1.json has drifted",
        "openapi/v1.json has drifted",
        "events/payment.forgotten.v1.json is of nothing any more",
    ]
    write(tmp_path)
    assert drift(tmp_path) == []


def test_every_event_has_a_schema_that_is_one():
    for event_type, schema in schemas(event_classes()).items():
        Draft202012Validator.check_schema(schema)
        assert schema["title"] == event_type
