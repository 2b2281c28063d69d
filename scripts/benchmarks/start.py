"""How long it takes to serve: `flamewire up` on data that is there, and importing what the API imports."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.benchmarks.figure import Figure, median_of
from scripts.benchmarks.running import Child

_STARTS = 3


def run() -> list[Figure]:
    empty = median_of(_STARTS, lambda: _import("asyncio"))
    with tempfile.TemporaryDirectory(prefix="flamewire-bench-") as folder:
        _start(Path(folder))  # the first start makes the database
        warm = median_of(_STARTS, lambda: _start(Path(folder)))
    api = median_of(_STARTS, lambda: _import("flamewire_ledger.api.app"))
    reference = "python -c 'import asyncio'"
    return [
        Figure("warm start to ready", warm, "s", empty, reference, 5, less_is_better=True),
        Figure("import of the API", api, "s", empty, reference, 1.5, less_is_better=True),
    ]


def _import(module: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - began


def _start(data_dir: Path) -> float:
    """From the command to the line that says where it serves."""
    child = Child(["flamewire_ledger", "up", "--port", "0", "--data-dir", str(data_dir)])
    try:
        child.wait_until(lambda: "Ledger " in child.said, "starting")
        return time.perf_counter() - child.began
    finally:
        child.stop()
