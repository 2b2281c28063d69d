"""Gather: many who ask at about the same time share one question.

A round trip to a server costs the same for one key and for fifty. Whoever asks while nothing is on
its way is sent at once; whoever asks meanwhile goes with the next question, together with all others.
A question begins after everyone in it had asked, so nobody is given an answer older than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

from psycopg import OperationalError

Key = TypeVar("Key")
Value = TypeVar("Value")


class Crowded(OperationalError):
    """Too many wait already: answered like a database that is away, so come again."""


class Gather(Generic[Key, Value]):
    """Asks `ask` for several keys at once; a key that is missing from its answer is None."""

    def __init__(
        self,
        ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]],
        *,
        keys_max: int = 100,
        questions_max: int = 2,
        waiting_max: int = 10_000,
    ) -> None:
        """`keys_max`: in one question. `questions_max`: on their way at once."""
        self._ask = ask
        self._keys_max = keys_max
        self._questions_max = questions_max
        self._waiting_max = waiting_max
        self._waiting: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Value | None:
        """The value of a key, from a question that begins now or later. Raises what `ask` raises."""
        # A future for each: who goes away cancels what it waits for, and that is nobody else's.
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        known = self._waiting.get(key)
        if known is not None:
            known.append(future)
        elif len(self._waiting) < self._waiting_max:
            self._waiting[key] = [future]
        else:
            raise Crowded(f"{self._waiting_max} questions wait already")
        if len(self._asking) < self._questions_max:
            task = asyncio.create_task(self._work())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return await future

    async def _work(self) -> None:
        """Ask until nobody waits."""
        while self._waiting:
            keys = list(islice(self._waiting, self._keys_max))
            asked = {key: self._waiting.pop(key) for key in keys}
            waiting = [(key, future) for key, futures in asked.items() for future in futures]
            try:
                found = await self._ask(keys)
            except asyncio.CancelledError:
                for _, future in waiting:
                    future.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - the edge: it belongs to all who asked
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
                continue
            for key, future in waiting:
                if not future.done():
                    future.set_result(found.get(key))
