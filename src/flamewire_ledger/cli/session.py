"""One command's visit to the ledger: settings read, database found, parts opened, and closed again whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from flamewire_ledger.cli.home import database_of
from flamewire_ledger.settings import read_settings
from flamewire_ledger.wiring import Ledger, open_ledger
from flamewire_ledger.wiring.operator import Operator, operate

T = TypeVar("T")


def visit(action: Callable[[Ledger], Awaitable[T]], *, data_dir: Path | None = None) -> T:
    """Run `action` with the ledger of this data directory (or of FLAMEWIRE_DATABASE_URL)."""
    settings = read_settings(data_dir=data_dir)

    async def inside(url: str) -> T:
        async with open_ledger(settings, url) as ledger:
            return await action(ledger)

    with database_of(settings) as url:
        return asyncio.run(inside(url))


def operation(action: Callable[[Operator], Awaitable[T]], *, data_dir: Path | None = None) -> T:
    """The same with what an operator needs: the read side and its dead letters."""

    async def inside(ledger: Ledger) -> T:
        async with operate(ledger) as operator:
            return await action(operator)

    return visit(inside, data_dir=data_dir)
