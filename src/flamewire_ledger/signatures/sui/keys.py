"""Sui's three kinds of key: by flag, how long a key is and how it verifies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.signatures.curves import ed25519, secp256k1, secp256r1

SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class KeyKind:
    """`verify(key, digest, signature)` raises Invalid."""

    name: str
    key_bytes: int
    verify: Callable[[bytes, bytes, bytes], None]


def _secp256k1(key: bytes, digest: bytes, signature: bytes) -> None:
    secp256k1.verify(key, hashlib.sha256(digest).digest(), signature)


def _secp256r1(key: bytes, digest: bytes, signature: bytes) -> None:
    secp256r1.verify(key, hashlib.sha256(digest).digest(), signature)


KEY_KINDS: Final = {
    0: KeyKind("ed25519", 32, ed25519.verify),
    1: KeyKind("secp256k1", 33, _secp256k1),
    2: KeyKind("secp256r1", 33, _secp256r1),
}
MULTISIG_FLAG: Final = 3
