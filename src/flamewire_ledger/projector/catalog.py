"""The projections there are: this file holds how their folders are found, read and checked.

A folder is data, so everything that can be wrong with it is said when it is read, with the folder's
name: an event type nobody writes, a statement for a type that is not read, a table without the
version in its name, a key that the events do not have.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.abc import Traversable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from flamewire_ledger.queries.statements import (
    NamedStatement,
    StatementError,
    parse_statements,
    projections_root,
)

Takes: TypeAlias = Literal["runs", "batches"]
ENVELOPE_KEYS: Final = ("stream_id", "merchant_id")
EVERYTHING: Final = "*"
_NAME: Final = re.compile(r"[a-z][a-z_]{0,38}[a-z]\Z")
_BATCH: Final = re.compile(r"\b(FROM|JOIN|USING) batch\b")
_DATA: Final = re.compile(r"\bdata\b|\*")
_METADATA: Final = re.compile(r"\b(actor|causation_id|correlation_id)\b|\*")
_TABLE: Final = re.compile(r"CREATE TABLE (\w+)")
_INDEX: Final = re.compile(r"CREATE INDEX (\w+)")


class CatalogError(Exception):
    """A projection's folder is not right; the sentence names it and says what to change."""


class UnknownProjection(Exception):
    """There is no projection of this name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement of project.sql, and the event types it takes."""

    types: frozenset[str]
    sql: str
    takes_data: bool  # whether it looks into the events, or only at their envelopes
    takes_metadata: bool  # whether it asks who did something, or because of what


@dataclass(frozen=True, slots=True)
class Projection:
    """A folder, read. `fingerprint` changes with everything that decides what its rows are.

    `takes` says what a statement sees at once. "runs": events of a key that are of one type and follow
    each other. "batches": all events of the types it names, because it adds them up or lets the last
    position win.
    """

    name: str
    version: int
    reads: frozenset[str]
    key: str
    takes: Takes
    answers: str
    lag_seconds_max: float
    joins: tuple[str, ...]
    tables: tuple[str, ...]
    table_sql: tuple[str, ...]
    index_sql: tuple[str, ...]
    rules: tuple[Rule, ...]
    example: bytes
    fingerprint: str


class Catalog:
    """All projections by name, checked against the events that can be recorded."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = {projection.name: projection for projection in projections}

    def __iter__(self) -> Iterator[Projection]:
        return iter(self._projections.values())

    def __len__(self) -> int:
        return len(self._projections)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._projections)

    def get(self, name: str) -> Projection:
        """Raises UnknownProjection, which lists those there are."""
        if name not in self._projections:
            raise UnknownProjection(
                f"there is no projection {name!r}: there are {', '.join(self._projections)}"
            )
        return self._projections[name]


def load_catalog(
    event_classes: Mapping[str, type[Any]], root: Traversable | None = None
) -> Catalog:
    """Read every folder. `event_classes` is the codec's registry. Raises CatalogError."""
    folder = projections_root() if root is None else root
    found = [
        read_projection(entry, event_classes)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if (entry / "projection.toml").is_file()
    ]
    catalog = Catalog(found)
    for projection in found:
        for joined in projection.joins:
            if joined not in catalog.names:
                raise CatalogError(f"{projection.name} joins {joined}, which is no projection")
    return catalog


class _Definition(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: int
    reads: list[str]
    key: str
    answers: str
    lag_seconds_max: float
    takes: Takes = "runs"
    joins: list[str] = []


def read_projection(folder: Traversable, event_classes: Mapping[str, type[Any]]) -> Projection:
    """One folder. Raises CatalogError."""
    texts = {
        name: _text(folder, name)
        for name in ("projection.toml", "schema.sql", "project.sql", "queries.sql", "example.json")
    }
    definition = _definition(folder.name, texts["projection.toml"])
    reads = _reads(definition, event_classes)
    _check_key(definition, reads, event_classes)
    tables, table_sql, index_sql = _schema(definition, texts["schema.sql"])
    _statements(definition.name, "queries.sql", texts["queries.sql"])
    return Projection(
        name=definition.name,
        version=definition.version,
        reads=reads,
        key=definition.key,
        takes=definition.takes,
        answers=definition.answers,
        lag_seconds_max=definition.lag_seconds_max,
        joins=tuple(definition.joins),
        tables=tables,
        table_sql=table_sql,
        index_sql=index_sql,
        rules=_rules(definition, texts["project.sql"], reads),
        example=texts["example.json"].encode(),
        fingerprint=_fingerprint(definition, texts),
    )


def _text(folder: Traversable, name: str) -> str:
    file = folder / name
    if not file.is_file():
        raise CatalogError(f"projections/{folder.name} has no {name}")
    return file.read_text(encoding="utf-8")


def _definition(folder_name: str, text: str) -> _Definition:
    try:
        definition = msgspec.convert(tomllib.loads(text), _Definition)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogError(f"projections/{folder_name}/projection.toml: {error}") from error
    if definition.name != folder_name:
        raise CatalogError(f"projections/{folder_name} calls itself {definition.name}")
    if not _NAME.match(definition.name):
        raise CatalogError(f"{definition.name}: a name has 2 to 40 small letters and underscores")
    if definition.version < 1:
        raise CatalogError(f"{definition.name}: versions begin with 1")
    return definition


def _reads(definition: _Definition, event_classes: Mapping[str, type[Any]]) -> frozenset[str]:
    if definition.reads == [EVERYTHING]:
        return frozenset([EVERYTHING])
    unknown = sorted(set(definition.reads) - set(event_classes))
    if unknown:
        raise CatalogError(f"{definition.name} reads {', '.join(unknown)}, which nobody records")
    return frozenset(definition.reads)


def _check_key(
    definition: _Definition, reads: frozenset[str], event_classes: Mapping[str, type[Any]]
) -> None:
    if definition.key in ENVELOPE_KEYS:
        return
    for event_type in sorted(event_classes if EVERYTHING in reads else reads):
        names = {field.name for field in fields(event_classes[event_type])}
        if definition.key not in names:
            raise CatalogError(
                f"{definition.name}: {event_type} has no field {definition.key} to be its key"
            )


def _schema(
    definition: _Definition, text: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Tables by name, what makes them, and what makes the indexes a rebuild leaves for its end."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    tables: dict[str, str] = {}
    indexes: list[str] = []
    for sql in filter(None, (part.strip() for part in re.split(r";[ \t]*(?:\n|\Z)", plain))):
        if table := _TABLE.match(sql):
            tables[table[1]] = sql
        elif index := _INDEX.match(sql):
            if not index[1].startswith(tuple(tables)):
                raise CatalogError(f"{definition.name}: index {index[1]} does not name its table")
            indexes.append(sql)
        else:
            raise CatalogError(
                f"{definition.name}/schema.sql: only CREATE TABLE and CREATE INDEX, not {sql[:40]}"
            )
    for table_name in tables:
        if not table_name.endswith(f"_v{definition.version}"):
            raise CatalogError(
                f"{definition.name}: {table_name} must end in _v{definition.version}"
            )
    if not tables:
        raise CatalogError(f"{definition.name}/schema.sql makes no table")
    return tuple(tables), tuple(tables.values()), tuple(indexes)


def _statements(name: str, file: str, text: str) -> list[NamedStatement]:
    try:
        return parse_statements(text, f"{name}/{file}")
    except StatementError as error:
        raise CatalogError(str(error)) from error


def _rules(definition: _Definition, text: str, reads: frozenset[str]) -> tuple[Rule, ...]:
    rules = []
    for statement in _statements(definition.name, "project.sql", text):
        if statement.name != "on":
            raise CatalogError(
                f"{definition.name}/project.sql: `-- on: type, type`, not {statement.name}"
            )
        types = frozenset(part.strip() for part in statement.sentence.split(","))
        if types == {EVERYTHING}:
            types = reads
        if not types <= reads:
            raise CatalogError(
                f"{definition.name}: on {', '.join(sorted(types - reads))}, which it does not read"
            )
        if not _BATCH.search(statement.sql):
            raise CatalogError(f"{definition.name}: a statement does not read FROM batch")
        sql = statement.sql
        rules.append(Rule(types, sql, bool(_DATA.search(sql)), bool(_METADATA.search(sql))))
    ignored = reads - frozenset().union(*(rule.types for rule in rules))
    if ignored:
        raise CatalogError(f"{definition.name} reads {', '.join(sorted(ignored))} and ignores it")
    return tuple(rules)


def _fingerprint(definition: _Definition, texts: Mapping[str, str]) -> str:
    parts = (
        definition.key,
        definition.takes,
        ",".join(sorted(definition.reads)),
        texts["schema.sql"],
        texts["project.sql"],
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
