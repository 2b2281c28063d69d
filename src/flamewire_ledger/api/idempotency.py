"""Idempotency: a key and its content become a command id and a fingerprint; a running one is not
started twice.

The answer itself is kept by the store, in the transaction of the events, so that it is as durable
as they are.
"""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import msgspec

from flamewire_ledger.api import problems
from flamewire_ledger.domain.identifiers import command_id

KEY_CHARACTERS_MAX: Final = 255
_encoder = msgspec.json.Encoder(order="sorted")


def check_key(key: str) -> str:
    """The key as it came; raises a 400 when it is empty, too long or not printable ASCII."""
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise problems.idempotency_key_invalid()
    return key


def command_of(merchant_id: str, key: str) -> UUID:
    """The same id for the same key of a merchant, whatever process it comes to."""
    return command_id("key", merchant_id, key)


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """What makes the same key mean the same request: order of fields and white space do not."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(_encoder.encode(body))
    return digest.digest()


class Running:
    """The commands this process works on now. Another process is told apart by the store itself."""

    def __init__(self) -> None:
        self._ids: set[int] = set()  # numbers, which hash at a quarter of what UUIDs take

    def claims(self) -> Claims:
        """What one request works on, to be begun with `with`."""
        return Claims(self._ids)

    def only_one(self, command: UUID) -> Claims:
        """One command to work on. Raises a 409 when it is running already."""
        claims = self.claims()
        claims.claim(command)
        return claims


class Claims:
    """The commands of one request, until the request is over."""

    __slots__ = ("_mine", "_running")

    def __init__(self, running: set[int]) -> None:
        self._running = running
        self._mine: set[int] = set()

    def claim(self, command: UUID) -> None:
        """Work on this command too; once more is nothing new. Raises a 409 when another request
        does.
        """
        number = command.int
        if number in self._running:
            if number in self._mine:
                return
            raise problems.request_in_progress()
        self._running.add(number)
        self._mine.add(number)

    def __enter__(self) -> Claims:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._running.difference_update(self._mine)
