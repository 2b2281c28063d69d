"""Progress for whoever watches: a bar on a terminal, silence elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from scripts.benchmarks.load.process import LoadProcess

words: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line for people."""
    words.print(text, markup=False)


@contextmanager
def shown(what: str, load: LoadProcess) -> Iterator[Callable[[], None]]:
    """A function to call now and then while the load runs."""
    total = load.plan.warm_up_seconds + load.plan.seconds
    with bar(what, total) as update:
        began: list[float] = []

        def show() -> None:
            if load.phase != "starting" and not began:
                began.append(time.monotonic())
            elapsed = time.monotonic() - began[0] if began else 0.0
            update(min(elapsed, total), f"{load.phase}, {load.acknowledged:,} commands")

        yield show


@contextmanager
def bar(what: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """A function to call with how much is done, and a few words."""
    if not words.is_terminal:
        yield lambda done, said: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=words, transient=True) as progress:
        task = progress.add_task(what, total=total, said="")
        yield lambda done, said: progress.update(task, completed=done, said=said)
