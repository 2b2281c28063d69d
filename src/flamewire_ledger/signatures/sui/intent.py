"""What is signed on Sui: blake2b-256 of an intent and a payload, so that no message is a transaction."""

from __future__ import annotations

import hashlib
from typing import Final

from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason

# scope, version, application
_TRANSACTION: Final = bytes((0, 0, 0))
_PERSONAL_MESSAGE: Final = bytes((3, 0, 0))


def digest_of(claim: Claim) -> bytes:
    """The 32 bytes that are signed. A message is BCS's vector<u8>: its length, then its bytes."""
    match claim.kind:
        case "message" | "personal_message":
            message = claim.message
            return blake2b_256(_PERSONAL_MESSAGE + uleb128(len(message)) + message)
        case "transaction":
            if not claim.message:
                raise Invalid(Reason.TRANSACTION_MALFORMED)
            return blake2b_256(_TRANSACTION + claim.message)
        case "typed_data":
            raise Invalid(Reason.KIND_UNSUPPORTED)


def uleb128(number: int) -> bytes:
    """A length as BCS writes it: seven bits a byte, the lowest first."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def blake2b_256(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
