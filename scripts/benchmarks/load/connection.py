"""One HTTP/1.1 connection that is kept: this file holds a client that costs next to nothing.

It sends bytes that are ready and finds the end of an answer by its Content-Length. An answer without
one is a fault. One request at a time: pipelining would hide how long each of them took.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Listener(Protocol):
    """Who is told what became of a request."""

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        """The whole answer; the head in small letters."""

    def lost(self, connection: Connection) -> None:
        """It is closed; a request that was on its way has no answer, and may have been done."""

    def garbled(self, error: ValueError) -> None:
        """What came is no answer."""


class Connection(asyncio.Protocol):
    """Make it with `connect`."""

    def __init__(self, listener: Listener) -> None:
        self.sent_at = 0.0  # by the loop's clock; 0 when nothing is on its way
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._begun = bytearray()  # an answer that came in pieces, as far as it is here
        self._head = b""  # of that answer, once it is whole
        self._status = self._start = self._end = 0  # and where its body is

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._listener.lost(self)

    def send(self, data: bytes, now: float) -> None:
        assert self._transport is not None, "it is open"
        self.sent_at = now
        self._transport.write(data)

    def close(self) -> None:
        """Now: whoever waits for an answer is told it is lost."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        here: bytes | bytearray = data
        if self._begun:
            self._begun += data
            here = self._begun
        if not self._head and not self._read_head(here):
            return
        if len(here) < self._end:
            if not self._begun:
                self._begun += data
            return
        head, body = self._head, bytes(here[self._start : self._end])
        self._head = b""
        self._begun = bytearray()
        self.sent_at = 0.0
        self._listener.answered(self, self._status, head, body)

    def _read_head(self, here: bytes | bytearray) -> bool:
        end = here.find(_HEAD_END)
        if end < 0:
            if not self._begun:
                self._begun += here
            return False
        head = bytes(here[:end]).lower()
        try:
            self._status, length = read_head(head)
        except ValueError as error:
            self._listener.garbled(error)
            self.close()
            return False
        self._head, self._start = head, end + len(_HEAD_END)
        self._end = self._start + length
        return True


def read_head(head: bytes) -> tuple[int, int]:
    """The status and the Content-Length, from a head in small letters; ValueError without them."""
    place = head.find(_LENGTH)
    if place < 0 or not head.startswith(b"http/1.1 "):
        raise ValueError(f"no answer of HTTP/1.1 with a Content-Length: {head[:200]!r}")
    end = head.find(b"\r\n", place)
    return int(head[9:12]), int(head[place + len(_LENGTH) : end if end >= 0 else len(head)])


async def connect(address: tuple[str, int], listener: Listener) -> Connection:
    """An open connection; OSError when nobody listens."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(listener), *address)
    return connection
