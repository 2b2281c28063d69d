"""ECDSA's numbers, checked before a library sees them: in range, and s in the lower half (EIP-2)."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.signatures.scheme import Invalid, Reason

_ZERO: Final = bytes(32)


class Range:
    """The numbers below the order of a curve, as bytes: they compare as the numbers do."""

    def __init__(self, order: int) -> None:
        self._order = order.to_bytes(32, "big")
        self._half = (order >> 1).to_bytes(32, "big")

    def check(self, compact: bytes) -> None:
        """r and s of 64 bytes, big-endian. Raises Invalid for zero, too large, or the malleable half."""
        s = compact[32:64]
        if not _ZERO < compact[:32] < self._order:
            raise Invalid(Reason.R_OUT_OF_RANGE)
        if not _ZERO < s < self._order:
            raise Invalid(Reason.S_OUT_OF_RANGE)
        if s > self._half:
            raise Invalid(Reason.S_TOO_HIGH)
