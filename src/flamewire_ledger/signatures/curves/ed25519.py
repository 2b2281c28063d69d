"""Ed25519 by libsodium, through PyNaCl: it refuses small orders and other spellings of a point, which
OpenSSL takes, and is faster.
"""

from __future__ import annotations

from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from flamewire_ledger.signatures.scheme import Invalid, Reason

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_ORDER_BYTES: Final = ORDER.to_bytes(32, "big")


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """With a key of 32 bytes and a signature of 64. Raises Invalid."""
    if signature[:31:-1] >= _ORDER_BYTES:  # s is little-endian
        raise Invalid(Reason.S_OUT_OF_RANGE)
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        pass
    else:
        return
    # Why is asked afterwards: it costs as much as verifying.
    raise Invalid(
        Reason.SIGNATURE_MISMATCH if crypto_core_ed25519_is_valid_point(key) else Reason.KEY_INVALID
    )
