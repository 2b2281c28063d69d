"""`schemas/` is what the code says, released shapes stay, and projections read only what is there."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scripts.published_schemas import drift, published
from scripts.released_schemas import broken_promises
from tests.services.place import ROOT

EVENTS = ROOT / "schemas" / "events"
PROJECTIONS = sorted(path.parent for path in (ROOT / "projections").glob("*/projection.toml"))
BY_NAME = {"ids": lambda path: path.name}


def schema(event_type: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{event_type}.json").read_text())
    return loaded


def reads(projection: Path) -> list[str]:
    listed: list[str] = tomllib.loads((projection / "projection.toml").read_text())["reads"]
    if listed == ["*"]:
        return [path.stem for path in EVENTS.glob("*.json") if path.stem != "envelope"]
    return listed


def test_the_published_schemas_are_what_the_code_says():
    assert drift() == [], "run scripts/schemas"


def test_no_released_event_has_changed():
    assert broken_promises(ROOT, published()) == []


def test_every_event_schema_is_a_json_schema():
    for path in EVENTS.glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize("projection", PROJECTIONS, **BY_NAME)
def test_a_projection_s_example_is_made_of_events_as_published(projection: Path):
    example = json.loads((projection / "example.json").read_text())
    for event in example["given"]:
        validator = jsonschema.Draft202012Validator(
            schema(event["type"]), format_checker=jsonschema.FormatChecker()
        )
        faults = [
            f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(event["data"])
        ]
        assert faults == [], event["type"]


@pytest.mark.parametrize("projection", PROJECTIONS, **BY_NAME)
def test_a_projection_reads_only_events_and_fields_that_there_are(projection: Path):
    listed = reads(projection)
    assert [name for name in listed if not (EVENTS / f"{name}.json").exists()] == []
    parts = re.split(r"^-- on: (.+)$", (projection / "project.sql").read_text(), flags=re.MULTILINE)
    assert len(parts) > 1, "a statement begins with a line `-- on: event type, …`"
    for on, statement in zip(parts[1::2], parts[2::2], strict=True):
        types = listed if on.strip() == "*" else [name.strip() for name in on.split(",")]
        known = set().union(*(schema(name)["properties"] for name in types))
        # Only first steps into the event: in `data->'x'->>'y'`, the `y` is deeper.
        used = set(re.findall(r"\bdata\s*->>?\s*'(\w+)'", statement))
        assert used - known == set(), on


def test_a_file_edited_by_hand_or_left_over_or_missing_is_drift(tmp_path: Path):
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    folder = tmp_path / "schemas"
    assert drift(folder) == []
    with (folder / "openapi" / "v1.json").open("a") as file:
        file.write(" ")
    moved = folder / "events" / "payment.requested.v1.json"
    moved.rename(moved.with_name("payment.asked_for.v1.json"))
    assert {sentence.split()[0] for sentence in drift(folder)} == {
        "openapi/v1.json",
        "events/payment.requested.v1.json",
        "events/payment.asked_for.v1.json",
    }


EVENT = Path("events/a.done.v1.json")


@pytest.fixture
def released(tmp_path: Path) -> tuple[Path, dict[Path, str]]:
    """A checkout that was released with one event and one document, and what the code says."""
    wanted = {EVENT: "{}\n", Path("openapi/v1.json"): "{}\n"}
    for path, text in wanted.items():
        (tmp_path / "schemas" / path).parent.mkdir(parents=True)
        (tmp_path / "schemas" / path).write_text(text)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v1.0.0"]):
        subprocess.run([*git, *words], check=True)
    return tmp_path, wanted


def test_a_released_event_may_not_change_or_go(released: tuple[Path, dict[Path, str]]):
    root, wanted = released
    assert broken_promises(root, wanted) == []
    assert broken_promises(root, wanted | {EVENT: '{"other": 1}\n'})
    assert broken_promises(root, {path: text for path, text in wanted.items() if path != EVENT})


def test_other_events_and_growing_documents_may_come(released: tuple[Path, dict[Path, str]]):
    root, wanted = released
    assert broken_promises(root, wanted | {Path("events/a.done.v2.json"): "{}\n"}) == []
    assert broken_promises(root, wanted | {Path("openapi/v1.json"): '{"more": 1}\n'}) == []
