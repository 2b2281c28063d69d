"""How long it takes to serve: `flamewire up` on data that is there, and importing what the API imports."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.benchmarks.figure import Figure, median_of

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
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "flamewire_ledger",
        "up",
        "--port",
        "0",
        "--data-dir",
        str(data_dir),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        assert line.startswith("Ledger"), "it did not start"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    return seconds
