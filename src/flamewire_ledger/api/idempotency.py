"""Idempotency: a key and its content become a command id and a fingerprint; a running one is not
started twice.

The answer itself is kept by the store, in the transaction of the events, so that it is as durable
as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._ids: set[UUID] = set()

    @contextmanager
    def only_one(self, command: UUID) -> Iterator[None]:
        """Raises a 409 when the same command is running already."""
        if command in self._ids:
            raise problems.request_in_progress()
        self._ids.add(command)
        try:
            yield
        finally:
            self._ids.discard(command)
