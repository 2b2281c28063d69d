"""A released event's schema never changes: what was in the last release tag stays as it was.

A new shape gets a new version beside the old one, and an upcaster. What surrounds events, and the
documents that may grow (OpenAPI, AsyncAPI), are not held to that.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

FROZEN = "schemas/events"
GROWS = frozenset({"envelope.json"})  # its list of types does


def broken_promises(root: Path, wanted: Mapping[Path, str]) -> list[str]:
    """A sentence for each released event whose schema is another now, or gone.

    `wanted` is the text of each file by its path under schemas/, as the code says.
    """
    tag = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    if tag is None:
        return []  # nothing is released
    listed = _git(root, "ls-tree", "-r", "--name-only", tag.strip(), f"{FROZEN}/") or ""
    return [
        f"{path} was released in {tag.strip()}: leave it, and add a version beside it"
        for path in map(Path, listed.splitlines())
        if path.name not in GROWS
        and wanted.get(path.relative_to("schemas")) != _git(root, "show", f"{tag.strip()}:{path}")
    ]


def _git(root: Path, *words: str) -> str | None:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
