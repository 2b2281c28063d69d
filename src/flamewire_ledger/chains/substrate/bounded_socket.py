"""A WebSocket that gives so many bytes until a time, and no more: the library would take in a message
of any length, greeting and refusal included, and wait as long as a byte comes now and then.
"""

from __future__ import annotations

import socket
import time
from typing import Any, cast

from websocket import WebSocket

from flamewire_ledger.chains.answers import AnswerTooLarge


class _Metered:
    """A socket as the library uses it, with what may still come."""

    def __init__(self, sock: socket.socket, owner: BoundedSocket) -> None:
        self._sock = sock
        self._owner = owner

    def recv(self, size: int) -> bytes:
        self._sock.settimeout(self._owner.seconds_left())
        data = self._sock.recv(min(size, self._owner.bytes_left + 1))
        self._owner.bytes_left -= len(data)
        if self._owner.bytes_left < 0:
            raise AnswerTooLarge("a node says more than any honest one")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class BoundedSocket(WebSocket):
    """Give it its next allowance with `allow` before each question."""

    bytes_left = 0
    _until = 0.0
    _metered: _Metered | None = None

    def allow(self, bytes_max: int, seconds: float) -> None:
        """From now on so many bytes may come, within so many seconds."""
        self.bytes_left = bytes_max
        self._until = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Raises TimeoutError when there are none."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def cut(self) -> None:
        """Let go of it now, and of who waits for it. From any thread."""
        library: Any = self  # which has no types
        library.abort()
        library.shutdown()

    @property
    def sock(self) -> socket.socket | None:
        """The library puts in what it has connected, and reads through what is given out here."""
        return cast("socket.socket | None", self._metered)

    @sock.setter
    def sock(self, connected: socket.socket | None) -> None:
        self._metered = None if connected is None else _Metered(connected, self)


def bounded_socket(bytes_max: int, seconds: float) -> type[BoundedSocket]:
    """What the library makes its connection of: its greeting is the first thing that is bounded."""

    class Greeted(BoundedSocket):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            self.allow(bytes_max, seconds)

    return Greeted
