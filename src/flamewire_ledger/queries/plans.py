"""Plans of prepared statements: a connection forgets them every now and then.

Postgres keeps a plan until somebody analyses its tables. One that was made while a table was small
reads all of it, and goes on to do so when it has a hundred thousand rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection

from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside

_SQL: Final = by_name(parse_statements(text_beside(__file__, "plans.sql"), "plans.sql"))


class Plans:
    """Those of the connections of one pool. To make some anew takes milliseconds of the server."""

    def __init__(self, seconds_max: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """None lives longer than `seconds_max` after the use of its connection that follows."""
        self._seconds_max = seconds_max
        self._clock = clock
        self._made_at: WeakKeyDictionary[AsyncConnection[Any], float] = WeakKeyDictionary()

    async def forget_old(self, connection: AsyncConnection[Any]) -> None:
        """To be called before a statement; most of the time it does nothing."""
        now = self._clock()
        if now - self._made_at.setdefault(connection, now) > self._seconds_max:
            self._made_at[connection] = now
            await connection.execute(_SQL["forget_plans"].sql, prepare=False)
