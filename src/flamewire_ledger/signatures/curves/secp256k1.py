"""secp256k1 by coincurve (libsecp256k1): recovering a key, and verifying with one."""

from __future__ import annotations

from typing import Final

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from flamewire_ledger.signatures.curves.ecdsa import Range
from flamewire_ledger.signatures.scheme import Invalid, Reason

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_RANGE: Final = Range(ORDER)
_PARITIES: Final = (b"\0", b"\1")


def recover(digest: bytes, compact: bytes, parity: int) -> PublicKey:
    """The key that signed. `parity` is 0 or 1: that of R's y. Raises Invalid."""
    _RANGE.check(compact)
    try:
        return PublicKey.from_signature_and_message(
            compact[:64] + _PARITIES[parity], digest, hasher=None
        )
    except ValueError:  # no point has this r, or the key would be at infinity
        raise Invalid(Reason.SIGNATURE_MISMATCH) from None


def verify(key: bytes, digest: bytes, compact: bytes) -> None:
    """With a compressed key of 33 bytes. Raises Invalid."""
    _RANGE.check(compact)
    try:
        public_key = PublicKey(key)
    except ValueError:
        raise Invalid(Reason.KEY_INVALID) from None
    der = cdata_to_der(deserialize_compact(compact))
    if not public_key.verify(der, digest, hasher=None):
        raise Invalid(Reason.SIGNATURE_MISMATCH)
