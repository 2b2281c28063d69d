"""The line between the process that looks after the others and each of them: short JSON lines over a
socket pair, the same at both ends.

An end *tells* the other something, or *asks* it something and waits for the answer, a bounded time.
One question is on its way at most once: whoever asks it meanwhile gets the same answer. When the
other end is gone, `run` comes back: that is how each learns of the other's death.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
ANSWER_SECONDS_MAX: Final = 2.0

Answer: TypeAlias = Callable[[], Awaitable[Any]]
Hear: TypeAlias = Callable[[Any], None]


class LineLost(Exception):
    """The other end is gone, or does not answer in time."""


class Line:
    """One end. `run` has to be running for anything to arrive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers: dict[str, Answer] = {}
        self._hears: dict[str, Hear] = {}
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._is_over = False

    @classmethod
    async def open(cls, end: socket.socket) -> Line:
        """Take one end of a socket pair, for good."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LINE_BYTES_MAX))

    def answers(self, question: str, answer: Answer) -> None:
        """What this end knows. The answer is anything that JSON can say."""
        self._answers[question] = answer

    def hears(self, word: str, hear: Hear) -> None:
        """What this end wants to be told."""
        self._hears[word] = hear

    def tell(self, word: str, value: object = None) -> None:
        """Nothing is raised when nobody is there any more."""
        self._send({"tell": word, "value": value})

    async def ask(self, question: str, seconds_max: float = ANSWER_SECONDS_MAX) -> Any:
        """What the other end answers. Raises LineLost when it does not."""
        answer = self._asked.get(question)
        if answer is None:
            if self._is_over:
                raise LineLost
            answer = self._asked[question] = asyncio.get_running_loop().create_future()
            self._send({"ask": question})
        try:
            async with asyncio.timeout(seconds_max):
                return await asyncio.shield(answer)
        except TimeoutError:
            self._asked.pop(question, None)  # the next one asks anew
            raise LineLost from None
        except asyncio.CancelledError:
            if answer.cancelled():
                raise LineLost from None
            raise

    async def run(self) -> None:
        """Take in what arrives until the other end is gone."""
        try:
            while line := await self._reader.readline():
                self._take_in(json.loads(line))
        except (OSError, ValueError):
            pass  # half a line: it died while it spoke
        finally:
            self._is_over = True
            for asked in self._asked.values():
                asked.cancel()
            for answering in self._answering.values():
                answering.cancel()

    def close(self) -> None:
        self._writer.close()

    def _take_in(self, said: dict[str, Any]) -> None:
        match said:
            case {"tell": word, "value": value} if word in self._hears:
                self._hears[word](value)
            case {"ask": question} if question in self._answers:
                if question not in self._answering:
                    answering = asyncio.create_task(self._answer(question))
                    self._answering[question] = answering
                    answering.add_done_callback(lambda _: self._answering.pop(question, None))
            case {"answer": question, "value": value}:
                asked = self._asked.pop(question, None)
                if asked is not None and not asked.done():
                    asked.set_result(value)
            case _:
                pass  # a question that this end cannot answer yet: whoever asks gives up in time

    async def _answer(self, question: str) -> None:
        self._send({"answer": question, "value": await self._answers[question]()})

    def _send(self, said: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(said).encode() + b"\n")
