"""What was served and is not yet in the ledger's books, on disk; and who the customers are.

A call is written here before its answer goes out. Calls are sealed into bundles, one for each
customer and method; a bundle has its idempotency key from the moment it is sealed, so it can be
sent as often as it takes and counts once. SQLite in WAL mode: what is written survives the end of
this process (a power cut may take the last moments with it; `synchronous=FULL` would not let it,
for a disk flush a call).
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CALLS_MAX: Final = 1_000_000  # as many as may wait for the ledger; then nothing more is served
SEAL_CALLS_MAX: Final = 10_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spool (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
    key_digest TEXT PRIMARY KEY, account_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    plan TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, method TEXT NOT NULL,
    count INTEGER NOT NULL, micro INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bundles (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
    method TEXT NOT NULL, count INTEGER NOT NULL, micro INTEGER NOT NULL, refused TEXT);
CREATE TABLE IF NOT EXISTS volumes (
    account_id TEXT NOT NULL, month TEXT NOT NULL, units INTEGER NOT NULL,
    PRIMARY KEY (account_id, month));
CREATE TABLE IF NOT EXISTS burnt (
    account_id TEXT NOT NULL, method TEXT NOT NULL, count INTEGER NOT NULL, micro INTEGER NOT NULL,
    PRIMARY KEY (account_id, method));
"""


class SpoolFull(Exception):
    """More waits for the ledger than may wait: nothing can be served that could not be charged."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Calls of one customer and method: one consumption of credits."""

    seq: int
    id: str
    account_id: str
    method: str
    count: int
    micro: int
    refused: str | None  # the code of the ledger's refusal, when there was one


@dataclass(frozen=True, slots=True)
class Signup:
    """A customer as written down. The key itself is not kept, only its digest."""

    key_digest: str
    account_id: str
    name: str
    plan: str


class Spool:
    """One file; for one process and one thread."""

    def __init__(self, path: Path, *, calls_max: int = CALLS_MAX) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._calls_max = calls_max
        # Keys of bundles begin with this: a new file never repeats those of one that was deleted.
        named = self._db.execute("SELECT name FROM spool").fetchone()
        if named is None:
            named = (secrets.token_hex(8),)
            self._db.execute("INSERT INTO spool VALUES (?)", named)
        self._name: str = named[0]
        self._waiting: int = self._one("SELECT coalesce(sum(count), 0) FROM calls")
        self._waiting += self._one("SELECT coalesce(sum(count), 0) FROM bundles")

    def close(self) -> None:
        self._db.close()

    @property
    def waiting(self) -> int:
        """Calls the ledger has not confirmed yet."""
        return self._waiting

    def check_room(self, count: int) -> None:
        if self._waiting + count > self._calls_max:
            raise SpoolFull(f"{self._waiting} calls wait for the ledger")

    def record(
        self, account_id: str, month: str, units: int, calls: Iterable[tuple[str, int, int]]
    ) -> None:
        """Calls of one request as (method, count, micro), and what they weigh together."""
        rows = [(account_id, method, count, micro) for method, count, micro in calls]
        with self._transaction():
            self._db.executemany(
                "INSERT INTO calls (account_id, method, count, micro) VALUES (?, ?, ?, ?)", rows
            )
            self._db.execute(
                "INSERT INTO volumes VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET units = units + excluded.units",
                (account_id, month, units),
            )
        self._waiting += sum(count for _, _, count, _ in rows)

    def seal(self) -> None:
        """Put the oldest calls into bundles."""
        with self._transaction():
            last = self._one(
                "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM calls ORDER BY seq LIMIT ?)",
                SEAL_CALLS_MAX,
            )
            self._db.execute(
                "INSERT INTO bundles SELECT min(seq), ? || '-' || min(seq), account_id, method,"
                " sum(count), sum(micro), NULL FROM calls WHERE seq <= ?"
                " GROUP BY account_id, method",
                (self._name, last),
            )
            self._db.execute("DELETE FROM calls WHERE seq <= ?", (last,))

    def bundles(self, limit: int) -> list[Bundle]:
        """The oldest of those that are not confirmed; those refused before come last."""
        rows = self._db.execute(
            "SELECT seq, id, account_id, method, count, micro, refused FROM bundles"
            " ORDER BY refused IS NOT NULL, seq LIMIT ?",
            (limit,),
        )
        return [Bundle(*row) for row in rows]

    def confirm(self, bundles: Iterable[Bundle]) -> None:
        """They are in the ledger's books."""
        done = list(bundles)
        with self._transaction():
            self._db.executemany("DELETE FROM bundles WHERE id = ?", [(it.id,) for it in done])
            self._db.executemany(
                "INSERT INTO burnt VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET count = count + excluded.count, micro = micro + excluded.micro",
                [(it.account_id, it.method, it.count, it.micro) for it in done],
            )
        self._waiting -= sum(it.count for it in done)

    def refuse(self, bundle: Bundle, code: str) -> None:
        """The ledger said no for now; it stays, and is sent again."""
        self._db.execute("UPDATE bundles SET refused = ? WHERE id = ?", (code, bundle.id))

    def pending(self) -> dict[str, int]:
        """Millionths of credits by account that are served and not confirmed."""
        rows = self._db.execute(
            "SELECT account_id, sum(micro) FROM (SELECT account_id, micro FROM calls"
            " UNION ALL SELECT account_id, micro FROM bundles) GROUP BY account_id"
        )
        return {str(account): int(micro) for account, micro in rows}

    def units(self, account_id: str, month: str) -> int:
        return self._one(
            "SELECT coalesce(sum(units), 0) FROM volumes WHERE account_id = ? AND month = ?",
            account_id,
            month,
        )

    def burnt(self) -> list[tuple[str, str, int, int]]:
        """(account, method, calls, micro) of all that was confirmed."""
        return list(self._db.execute("SELECT * FROM burnt ORDER BY account_id, method"))

    def sign_up(self, signup: Signup) -> None:
        self._db.execute(
            "INSERT INTO customers VALUES (?, ?, ?, ?)",
            (signup.key_digest, signup.account_id, signup.name, signup.plan),
        )

    def customers(self) -> list[Signup]:
        return [Signup(*row) for row in self._db.execute("SELECT * FROM customers")]

    def _one(self, sql: str, *values: str | int) -> int:
        return int(self._db.execute(sql, values).fetchone()[0])

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
