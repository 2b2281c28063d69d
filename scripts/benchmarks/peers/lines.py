"""A program that is measured: this file holds how it is told to run, a line in and a line out.

It says `ready`, and for each line `{"seconds": 4}` it works that long and answers
`{"done": 4711, "seconds": 4.01}`. It imports nothing but Python: peers run it in environments that
know nothing of the ledger.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def answer_lines(work: Callable[[float], int]) -> None:
    """Call `work` with the seconds of each line until there are no more; it returns how many it did."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        seconds = float(json.loads(line)["seconds"])
        began = time.perf_counter()
        done = work(seconds)
        spent = time.perf_counter() - began
        print(json.dumps({"done": done, "seconds": spent}), flush=True)


def repeat(step: Callable[[], int]) -> Callable[[float], int]:
    """Work that is one step after another, each of which returns how many it did."""

    def work(seconds: float) -> int:
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            done += step()
        return done

    return work
