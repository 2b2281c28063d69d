"""secp256r1 (P-256) by OpenSSL, through `cryptography`."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from flamewire_ledger.signatures.curves.ecdsa import Range
from flamewire_ledger.signatures.scheme import Invalid, Reason

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_RANGE: Final = Range(ORDER)
_CURVE: Final = SECP256R1()
_PREHASHED: Final = ECDSA(Prehashed(SHA256()))


def verify(key: bytes, digest: bytes, compact: bytes) -> None:
    """With a compressed key of 33 bytes and a digest of 32. Raises Invalid."""
    _RANGE.check(compact)
    if key[0] not in (2, 3):
        raise Invalid(Reason.KEY_INVALID)
    try:
        public_key = EllipticCurvePublicKey.from_encoded_point(_CURVE, key)
    except ValueError:
        raise Invalid(Reason.KEY_INVALID) from None
    r, s = int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:64], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), digest, _PREHASHED)
    except InvalidSignature:
        raise Invalid(Reason.SIGNATURE_MISMATCH) from None
