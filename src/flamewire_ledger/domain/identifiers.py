"""Public ids: a prefix that says what it is, and a UUIDv7 in base32 that sorts by when it was made.

`pi_01kayv3m8se0p9q7r2t4w6x8za`: Crockford's alphabet in lower case, 26 characters for 128 bits.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 26
_ENTROPY_BYTES: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# The namespace of derived command ids.
COMMANDS: Final = UUID("6f6d2f0e-6b2a-5d0c-9f57-0d6c1a3be7f1")


def encode(prefix: str, value: UUID) -> str:
    number = value.int
    letters = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(letters)}"


def is_id(prefix: str, text: str) -> bool:
    """Whether the text has the shape of such an id. It says nothing about its existence."""
    head, _, tail = text.partition("_")
    return (
        head == prefix
        and len(tail) == _LENGTH
        and tail[0] <= "7"
        and all(letter in _VALUES for letter in tail)
    )


def uuid7(at: datetime, entropy: bytes) -> UUID:
    """RFC 9562, section 5.7: 48 bits of milliseconds, then 74 of `entropy` (ten bytes or more)."""
    if len(entropy) < _ENTROPY_BYTES:
        raise ValueError(f"an id is made of {_ENTROPY_BYTES} bytes of entropy or more")
    milliseconds = (at - _EPOCH) // _MILLISECOND
    noise = int.from_bytes(entropy[:_ENTROPY_BYTES], "big")
    number = (milliseconds & (2**48 - 1)) << 80
    number |= 7 << 76 | (noise >> 62 & 0xFFF) << 64 | 2 << 62 | noise & (2**62 - 1)
    return UUID(int=number)


def derived_id(prefix: str, at: datetime, *names: str) -> str:
    """The same id for the same time and names: what follows from a fact is named by it."""
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return encode(prefix, uuid7(at, digest))


def command_id(*names: str) -> UUID:
    """A command's id from what caused it, so that saying it twice does it once."""
    return uuid5(COMMANDS, "\x1f".join(names))
