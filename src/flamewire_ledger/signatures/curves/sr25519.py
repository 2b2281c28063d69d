"""sr25519 (schnorrkel) by py-sr25519-bindings, in the signing context `substrate` that it has built in.

The library raises ValueError for what is malformed and takes the identity as a key, for which
anybody can sign: both are decided here first.
"""

from __future__ import annotations

from typing import Final

import sr25519

from flamewire_ledger.signatures.scheme import Invalid, Reason

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_ORDER_BYTES: Final = ORDER.to_bytes(32, "big")
_IDENTITY: Final = bytes(32)  # as ristretto255 writes it
MARKER: Final = 0x80


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """With a key of 32 bytes and a signature of 64. Raises Invalid."""
    last = signature[63]
    if not last & MARKER:
        raise Invalid(Reason.MARKER_MISSING)
    if bytes((last ^ MARKER,)) + signature[62:31:-1] >= _ORDER_BYTES:
        raise Invalid(Reason.S_OUT_OF_RANGE)
    if key == _IDENTITY:
        raise Invalid(Reason.KEY_INVALID)
    try:
        is_valid = sr25519.verify(signature, message, key)
    except ValueError:
        raise Invalid(Reason.KEY_INVALID) from None
    if not is_valid:
        raise Invalid(Reason.SIGNATURE_MISMATCH)
