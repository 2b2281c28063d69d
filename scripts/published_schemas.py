"""What scripts/schemas writes: OpenAPI, AsyncAPI and the schema of every event and webhook, as files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flamewire_ledger.api.event_schemas import schemas
from flamewire_ledger.api.openapi import VERSION, document
from flamewire_ledger.store.codec import event_classes
from scripts.published_broker import asyncapi, envelope
from scripts.published_reference import reference
from scripts.published_webhooks import webhook_schemas
from scripts.released_schemas import broken_promises

FOLDER = Path(__file__).parents[1] / "schemas"
PAGES = FOLDER.parent / "docs" / "reference"
GENERATED = ("openapi", "events", "asyncapi", "webhooks")  # folders that hold nothing else


def published() -> Mapping[Path, str]:
    """Every file, by its path under schemas/."""
    files: dict[Path, Any] = {Path("openapi/v1.json"): document()}
    events = dict(sorted(schemas(event_classes()).items()))
    for event_type, schema in events.items():
        files[Path(f"events/{event_type}.json")] = schema
    files[Path("events/envelope.json")] = envelope(list(events))
    files[Path("asyncapi/events.v1.json")] = asyncapi(VERSION)
    for message_type, schema in sorted(webhook_schemas().items()):
        files[Path(f"webhooks/{message_type}.json")] = schema
    return {path: _text(content) for path, content in sorted(files.items())}


def _text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def drift(folder: Path = FOLDER) -> list[str]:
    """A sentence for each file that is not as the code says."""
    wanted = published()
    found = [f"{path} has drifted" for path, text in wanted.items() if _read(folder / path) != text]
    for name in GENERATED:
        there = sorted(path.relative_to(folder) for path in (folder / name).rglob("*.json"))
        found += [f"{path} is of nothing any more" for path in there if path not in wanted]
    return found


def pages_drift() -> list[str]:
    """The same for the pages of docs/reference/."""
    wanted = reference(document(), event_classes())
    return [
        f"docs/reference/{path} has drifted"
        for path, text in wanted.items()
        if _read(PAGES / path) != text
    ]


def write_pages() -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    for path, text in reference(document(), event_classes()).items():
        (PAGES / path).write_text(text, encoding="utf-8")


def write(folder: Path = FOLDER) -> None:
    wanted = published()
    for name in GENERATED:
        for path in (folder / name).rglob("*.json"):
            if path.relative_to(folder) not in wanted:
                path.unlink()
    for path, text in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when they drifted")
    check = parser.parse_args().check
    if not check:
        write()
        write_pages()
    for sentence in (found := drift() + pages_drift()):
        print(f"{sentence}: run scripts/schemas", file=sys.stderr)
    for sentence in (broken := broken_promises(FOLDER.parent, published())):
        print(sentence, file=sys.stderr)
    return 1 if found or broken else 0


if __name__ == "__main__":
    sys.exit(main())
