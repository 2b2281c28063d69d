"""Sealing: what has to be kept and may not be read in the database, under a key that is not there.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. The key is derived (HKDF-SHA256, RFC
5869) from the ledger's own for one purpose; what is sealed is bound to what it is of, so that it
cannot be put in the place of another. The first key seals, all open: that is how a key is replaced.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES


class CannotOpen(Exception):
    """It was sealed under a key that is not here, or it is not what it was. Names no secret."""


def read_keys(text: str) -> tuple[bytes, ...]:
    """Keys as they are set: base64 of 32 bytes each, the one that seals first, commas between them.

    Raises ValueError, which repeats nothing of what was given.
    """
    keys: list[bytes] = []
    for part in text.split(","):
        try:
            key = b64decode(part.strip(), validate=True)
        except (NotBase64, ValueError):
            raise ValueError("a key is base64 of 32 random bytes") from None
        if len(key) != KEY_BYTES:
            raise ValueError("a key is base64 of 32 random bytes")
        keys.append(key)
    return tuple(keys)


class Sealing(Protocol):
    """Seals what has to be kept, and opens it again."""

    def seal(self, what: str, plain: bytes) -> bytes:
        """`what` says what this is of, and is asked for again when it is opened."""

    def open(self, what: str, sealed: bytes) -> bytes:
        """Raises CannotOpen."""


class Sealer:
    """Seals and opens for one purpose."""

    def __init__(
        self, keys: Sequence[bytes], purpose: str, entropy: Callable[[int], bytes]
    ) -> None:
        if not keys:
            raise ValueError("there is a key to seal with")
        derived = [_derived(key, purpose) for key in keys]
        self._keys = {_id_of(key): AESGCM(key) for key in derived}
        self._first = _id_of(derived[0])
        self._entropy = entropy

    def seal(self, what: str, plain: bytes) -> bytes:
        """`what` says what this is of, and is asked for again when it is opened."""
        nonce = self._entropy(_NONCE_BYTES)
        sealed = self._keys[self._first].encrypt(nonce, plain, what.encode())
        return _VERSION + self._first + nonce + sealed

    def open(self, what: str, sealed: bytes) -> bytes:
        """Raises CannotOpen."""
        key_id = sealed[1 : 1 + _KEY_ID_BYTES]
        key = self._keys.get(key_id)
        if sealed[:1] != _VERSION or key is None:
            raise CannotOpen(
                "it was sealed under another key: set FLAMEWIRE_SECRETS_KEY to that one, behind the "
                "one of now and a comma"
            )
        nonce = sealed[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES]
        try:
            return key.decrypt(nonce, sealed[_HEAD_BYTES:], what.encode())
        except InvalidTag:
            raise CannotOpen("it is not what was sealed: the database was changed") from None


def _derived(key: bytes, purpose: str) -> bytes:
    info = f"flamewire {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"flamewire key id" + key).digest()[:_KEY_ID_BYTES]
