"""Postgres itself as a contender: pgbench, a thousand rows in an INSERT, and a commit.

Each run is a pgbench of its own. The rows go over the wire as text, as pgbench does it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.peers.contender import Contender, Measured, measured_between
from scripts.benchmarks.peers.databases import database
from scripts.benchmarks.peers.installed import pgbench

ROWS: Final = 1_000
_CLIENTS: Final = 2
_LATE_SECONDS_MAX: Final = 60.0
# A row's own head and its position; our rows are measured with theirs.
_OVERHEAD_BYTES: Final = 24 + 8 + 4
TABLE: Final = (
    "CREATE TABLE plain_rows"
    " (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data text NOT NULL)"
)
_RECORDED: Final = (
    "SELECT count(*), count(*), count(*) FILTER (WHERE length(data) > 0) FROM plain_rows"
)
_FOUND: Final = re.compile(r"transactions actually processed: (\d+).*?tps = ([\d.]+)", re.DOTALL)


@contextmanager
def contenders(server: EmbeddedPostgres, row_bytes: Callable[[], int]) -> Iterator[list[Contender]]:
    """`row_bytes` is asked when pgbench first runs: by then there are rows to measure."""
    program = pgbench()
    url = database(server.url, "rows")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    with tempfile.TemporaryDirectory(prefix="flamewire-bench-") as folder:
        path = Path(folder) / "rows.sql"

        def measure(seconds: float) -> Measured:
            if not path.exists():
                path.write_text(script(row_bytes()))
            return measured_between(lambda: _run(program, path, url, seconds))

        label = f"Postgres, {ROWS:,} rows an INSERT and commit, {_CLIENTS} clients"
        yield [Contender("postgres", label, url, _RECORDED, measure)]


def script(row_bytes: int) -> str:
    """One INSERT; its rows are that large in the table, and no two are equal."""
    length = max(1, row_bytes - _OVERHEAD_BYTES)
    rows = ",\n".join(
        f"('{hashlib.shake_128(number.to_bytes(4)).hexdigest(length)[:length]}')"
        for number in range(ROWS)
    )
    return f"INSERT INTO plain_rows (data) VALUES\n{rows};\n"


def found_in(report: str) -> tuple[int, float]:
    """Rows, and the seconds they took, in what pgbench prints; raises BenchmarkFailed."""
    found = _FOUND.search(report)
    if found is None or float(found[2]) <= 0:
        raise BenchmarkFailed(f"pgbench said nothing of transactions: {report[-500:]}")
    return int(found[1]) * ROWS, int(found[1]) / float(found[2])


def _run(program: Path, path: Path, url: str, seconds: float) -> tuple[int, float]:
    parts = conninfo_to_dict(url)
    command: list[str | Path] = [
        program, "--no-vacuum", "--file", path, "--time", str(math.ceil(seconds)),
        "--client", str(_CLIENTS), "--jobs", str(_CLIENTS),
        "--host", str(parts["host"]), "--port", str(parts["port"]),
        "--username", str(parts["user"]), str(parts["dbname"]),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PGPASSWORD": str(parts.get("password") or "")},
            capture_output=True,
            text=True,
            timeout=seconds + _LATE_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkFailed(f"pgbench did not end: {error}") from error
    if done.returncode:
        raise BenchmarkFailed(f"pgbench: {done.stderr.strip()[-500:]}")
    return found_in(done.stdout)
