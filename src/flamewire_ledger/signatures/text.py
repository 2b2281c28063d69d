"""Bytes as text: hexadecimal behind 0x and base64, each in one spelling, so that no two texts are one
signature.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")


def read_hex(text: str) -> bytes:
    """ValueError for anything but 0x and pairs of digits: bytes.fromhex would allow spaces."""
    if not _HEX.match(text):
        raise ValueError("not 0x and pairs of hexadecimal digits")
    return bytes.fromhex(text[2:])


def read_base64(text: str) -> bytes:
    """ValueError for anything but padded RFC 4648 base64 whose unused bits are zero."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one spelling of these bytes in base64")
    return data
