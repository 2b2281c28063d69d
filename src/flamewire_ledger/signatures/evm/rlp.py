"""RLP, as the Ethereum Yellow Paper has it (appendix B): one encoding for each value, no other is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

DEPTH_MAX: Final = 4  # an access list in a transaction is the deepest there is
ITEMS_MAX: Final = 8192  # far above any transaction's, and read in a few milliseconds

Item: TypeAlias = "bytes | Sequence[Item]"


def decode(data: bytes) -> Item:
    """The one item that `data` is. Raises ValueError."""
    item, end = _Reader(data).item(0, DEPTH_MAX)
    if end != len(data):
        raise ValueError("bytes behind the item")
    return item


def encode(item: Item) -> bytes:
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _length(len(item), 0x80) + item
    body = b"".join(encode(one) for one in item)
    return _length(len(body), 0xC0) + body


def _length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(digits)]) + digits


class _Reader:
    """Reads items, a bounded number of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items_left = ITEMS_MAX

    def item(self, at: int, depth: int) -> tuple[Item, int]:
        """The item that begins there, and where it ends."""
        data = self._data
        if at >= len(data):
            raise ValueError("an item is missing")
        self._items_left -= 1
        if self._items_left < 0:
            raise ValueError("there are too many items")
        first = data[at]
        if first < 0x80:
            return data[at : at + 1], at + 1
        is_list = first >= 0xC0
        start, end = _body(data, at, first - (0xC0 if is_list else 0x80))
        if is_list:
            return self._list(start, end, depth), end
        if end - start == 1 and data[start] < 0x80:
            raise ValueError("a small byte stands for itself")
        return data[start:end], end

    def _list(self, at: int, end: int, depth: int) -> list[Item]:
        if depth == 0:
            raise ValueError("lists are nested too deeply")
        items: list[Item] = []
        while at < end:
            item, at = self.item(at, depth - 1)
            items.append(item)
        if at != end:
            raise ValueError("an item runs over the end of its list")
        return items


def _body(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Where the body of a string or list begins and ends."""
    start, length = at + 1, code
    if code > 55:
        size = code - 55
        digits = data[start : start + size]
        length = int.from_bytes(digits, "big")
        if len(digits) != size or digits[0] == 0 or length < 56:
            raise ValueError("the length is not written shortly")
        start += size
    if start + length > len(data):
        raise ValueError("the data end too early")
    return start, start + length
