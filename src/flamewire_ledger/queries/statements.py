"""SQL files into named statements: this file holds where they are and how they are read.

A statement begins with a comment `-- name: a sentence.` and ends with a semicolon at the end of a
line. Other comments belong to the statement they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path
from typing import Final

_HEADER: Final = re.compile(r"-- ([a-z_]+): (\S.*)\Z")


class StatementError(Exception):
    """An SQL file that cannot be read as named statements; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class NamedStatement:
    name: str
    sentence: str
    sql: str


def projections_root() -> Traversable:
    """The projection folders: inside the installed package, or at the root of a checkout."""
    packaged = files("flamewire_ledger") / "projections"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "projections"


def text_beside(module_file: str, name: str) -> str:
    """The text of an SQL file that lies beside the module it belongs to."""
    return Path(module_file).with_name(name).read_text(encoding="utf-8")


def parse_statements(text: str, where: str) -> list[NamedStatement]:
    """The statements of one file in their order; a name may occur more than once."""
    statements: list[NamedStatement] = []
    header: tuple[str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _HEADER.match(line) if not lines else None
        if match:
            header = (match[1], match[2])
        elif not lines and (not line.strip() or line.startswith("--")):
            continue
        elif header is None:
            raise StatementError(f"{where}, line {number}: a statement without a name above it")
        else:
            lines.append(line)
            if line.rstrip().endswith(";"):
                statements.append(NamedStatement(*header, "\n".join(lines).rstrip().rstrip(";")))
                header, lines = None, []
    if lines:
        raise StatementError(f"{where}: the last statement has no end; add a semicolon")
    return statements


@cache
def queries_of(folder: str) -> Mapping[str, NamedStatement]:
    """The named questions of one projection."""
    path = projections_root() / folder / "queries.sql"
    return by_name(parse_statements(path.read_text(encoding="utf-8"), f"{folder}/queries.sql"))


def by_name(statements: list[NamedStatement]) -> Mapping[str, NamedStatement]:
    """Raises StatementError when a name is used twice."""
    named = {statement.name: statement for statement in statements}
    if len(named) != len(statements):
        raise StatementError("two statements of one file have the same name")
    return named


@cache
def all_queries() -> Mapping[str, NamedStatement]:
    """Every question that can be asked of any read model, by its name."""
    found: dict[str, NamedStatement] = {}
    for folder in projections_root().iterdir():
        if not (folder / "projection.toml").is_file():
            continue
        for name, statement in queries_of(folder.name).items():
            if name in found:
                raise StatementError(f"two projections answer {name}; give one another name")
            found[name] = statement
    return found
