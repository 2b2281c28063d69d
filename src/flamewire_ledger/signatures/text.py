"""Bytes as text: hexadecimal behind 0x and base64, each in one spelling, so that no two texts are one
signature.
"""

from __future__ import annotations

import base64
import binascii


def read_hex(text: str) -> bytes:
    """ValueError for anything but 0x and pairs of digits.

    Not bytes.fromhex, which allows spaces; and no pattern, which takes 45 ms for a megabyte where this
    takes one.
    """
    if not text.startswith("0x"):
        raise ValueError("not 0x and pairs of hexadecimal digits")
    try:
        return binascii.unhexlify(text[2:])
    except ValueError:
        raise ValueError("not 0x and pairs of hexadecimal digits") from None


def read_base64(text: str) -> bytes:
    """ValueError for anything but padded RFC 4648 base64 whose unused bits are zero."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one spelling of these bytes in base64")
    return data
