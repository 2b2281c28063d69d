"""Named SQL statements, read from .sql files: nowhere else is there SQL.

A statement starts with a line `-- name: one sentence that says what it answers or does.`, and runs
to the next such line. Further comment lines belong to it. Parameters are psycopg's `%(name)s`;
`%(name)b` asks for binary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

_HEADING: Final = re.compile(r"^-- ([a-z][a-z0-9_]*): (.+)$", re.MULTILINE)


class StatementError(ValueError):
    """A file of statements cannot be read as such; says which and why."""


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    sentence: str
    sql: str

    @property
    def query(self) -> bytes:
        """As psycopg takes it. It comes from a file of ours and has nothing from outside in it."""
        return self.sql.encode()


def read_statements(file: Traversable | Path) -> Mapping[str, Statement]:
    """Every statement of a file by name, in the order of the file."""
    try:
        return parse_statements(file.read_text(encoding="utf-8"))
    except StatementError as error:
        raise StatementError(f"{file.name}: {error}") from None


def parse_statements(text: str) -> Mapping[str, Statement]:
    headings = list(_HEADING.finditer(text))
    found: dict[str, Statement] = {}
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        end = len(text) if following is None else following.start()
        name, sql = heading[1], text[heading.end() : end].strip()
        if name in found:
            raise StatementError(f"the name {name} comes twice")
        if not sql:
            raise StatementError(f"{name} has no statement")
        found[name] = Statement(name, heading[2].strip(), sql)
    return found
