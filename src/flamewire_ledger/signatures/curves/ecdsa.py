"""ECDSA's numbers, checked before a library sees them: in range, and s in the lower half (EIP-2)."""

from __future__ import annotations

from flamewire_ledger.signatures.scheme import Invalid, Reason


def read_scalars(compact: bytes, order: int) -> tuple[int, int]:
    """r and s of 64 bytes, big-endian. Raises Invalid for zero, too large, or the malleable half."""
    r = int.from_bytes(compact[:32], "big")
    s = int.from_bytes(compact[32:64], "big")
    if not 0 < r < order:
        raise Invalid(Reason.R_OUT_OF_RANGE)
    if not 0 < s < order:
        raise Invalid(Reason.S_OUT_OF_RANGE)
    if s > order >> 1:
        raise Invalid(Reason.S_TOO_HIGH)
    return r, s
