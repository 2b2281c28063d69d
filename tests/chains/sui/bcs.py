"""BCS as a test writes it: receipts of the Payment Kit, in the order of its struct."""

from __future__ import annotations


def length(count: int) -> bytes:
    """ULEB128."""
    written = b""
    while count >= 0x80:
        written += bytes([count & 0x7F | 0x80])
        count >>= 7
    return written + bytes([count])


def text(value: str) -> bytes:
    raw = value.encode()
    return length(len(raw)) + raw


def receipt(
    nonce: str, units: int, receiver: str, coin_type: str, *, registry: bytes | None = None
) -> bytes:
    kind = b"\0" if registry is None else b"\1" + registry
    amount, stamp = units.to_bytes(8, "little"), (1_700_000_000_000).to_bytes(8, "little")
    return kind + text(nonce) + amount + bytes.fromhex(receiver[2:]) + text(coin_type) + stamp
