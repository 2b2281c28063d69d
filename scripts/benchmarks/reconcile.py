"""A hundred thousand transfers matched three ways, against one pass over as many names in a dictionary.

And ten times as many: the ratio between the two says whether time grows with the number of transfers.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

from scripts.benchmarks.figure import BenchmarkFailed, Figure, median_of
from tests.domain.reconciliation.books import PLANTS, Books, agreeing, plant

TRANSFERS: Final = 100_000
_FEWER: Final = 10_000
_RUNS: Final = 3
_SECONDS_MAX: Final = 10.0
_LINEAR: Final = 15.0  # ten times as many may take this much longer


def run() -> list[Figure]:
    books = planted(TRANSFERS)
    seconds = median_of(_RUNS, lambda: timed(lambda: found(books)))
    fewer = planted(_FEWER)
    fewer_seconds = median_of(_RUNS, lambda: timed(lambda: found(fewer)))
    looked_up = median_of(_RUNS, lambda: timed(lambda: [_names(books), _names(books)]))
    return [
        Figure(
            "reconciliation: 100 000 transfers matched three ways, 15 planted wrongs found",
            seconds,
            "s",
            looked_up,
            "their names put into a dictionary twice",
            target=_SECONDS_MAX,
            less_is_better=True,
        ),
        Figure(
            "reconciliation: ten times as many transfers",
            seconds,
            "s",
            fewer_seconds,
            "10 000 transfers",
            ratio_target=_LINEAR,
            less_is_better=True,
        ),
    ]


def planted(count: int) -> Books:
    """Books with one wrong of each kind in them, spread out."""
    books = agreeing(count)
    step = count // len(PLANTS)
    plant(books, [(number * step, wrong) for number, wrong in enumerate(PLANTS)])
    return books


def found(books: Books) -> None:
    """Raises BenchmarkFailed when it is not what was planted: speed is nothing without that."""
    count = len(books.match().discrepancies)
    if count != len(PLANTS):
        raise BenchmarkFailed(f"{len(PLANTS)} wrongs were planted and {count} found")


def _names(books: Books) -> dict[str, int]:
    return {transfer.key: number for number, transfer in enumerate(books.chain)}


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
