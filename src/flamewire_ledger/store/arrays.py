"""Arrays as Postgres takes them in binary: what a batch travels in.

psycopg can send lists as binary arrays too; packing whole arrays of a known type costs a third of
that, and the type does not change with the size of the numbers in it, so one prepared statement
serves every batch.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from struct import Struct
from typing import Final, cast
from uuid import UUID

from psycopg import pq
from psycopg.adapt import AdaptersMap, Dumper

_LENGTH: Final = Struct(">i")
_NULL: Final = _LENGTH.pack(-1)
_SHORT: Final = [_LENGTH.pack(n) for n in range(2048)]
_EMPTY: Final = Struct(">iiI")
_ONE_DIMENSION: Final = Struct(">iiIii")


class PackedArray:
    """A one-dimensional array, packed. `array_oid` is the array's type in pg_type, `oid` its
    elements'.
    """

    __slots__ = ("packed",)
    array_oid: int
    oid: int

    def __init__(self, count: int, elements: bytes) -> None:
        if count:
            self.packed = _ONE_DIMENSION.pack(1, 1, self.oid, count, 1) + elements
        else:
            self.packed = _EMPTY.pack(0, 0, self.oid)


class Int4Array(PackedArray):
    __slots__ = ()
    oid, array_oid = 23, 1007

    def __init__(self, values: Sequence[int]) -> None:
        pairs = array("i", (4,)) * (2 * len(values))  # each value behind its length
        pairs[1::2] = array("i", values)
        if sys.byteorder == "little":
            pairs.byteswap()
        super().__init__(len(values), pairs.tobytes())


class UuidArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 2950, 2951

    def __init__(self, values: Sequence[UUID]) -> None:
        super().__init__(len(values), _joined([value.bytes for value in values]))


class ByteaArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 17, 1001

    def __init__(self, values: Sequence[bytes | None]) -> None:
        if None in values:
            super().__init__(len(values), b"".join(map(_element, values)))
        else:
            super().__init__(len(values), _joined(cast("Sequence[bytes]", values)))


class TextArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 25, 1009

    def __init__(self, values: Sequence[str]) -> None:
        super().__init__(len(values), _joined([value.encode() for value in values]))


class FewTextsArray(TextArray):
    """Texts of which most come again and again: each is packed once."""

    __slots__ = ()

    def __init__(self, values: Sequence[str]) -> None:
        packed = {value: _element(value.encode()) for value in set(values)}
        PackedArray.__init__(self, len(values), b"".join([packed[value] for value in values]))


def _element(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


def _joined(elements: Sequence[bytes]) -> bytes:
    """Every element behind its length. Ids and fingerprints all have the same, and then nothing has
    to be looked at one by one.
    """
    lengths = list(map(len, elements))
    if elements and lengths.count(lengths[0]) == len(lengths):
        head = _LENGTH.pack(lengths[0])
        return head + head.join(elements)
    heads = [_SHORT[n] if n < len(_SHORT) else _LENGTH.pack(n) for n in lengths]
    return b"".join(chain.from_iterable(zip(heads, elements, strict=True)))


def _dumper(packed: type[PackedArray]) -> type[Dumper]:
    class PackedDumper(Dumper):
        format = pq.Format.BINARY
        oid = packed.array_oid

        def dump(self, obj: PackedArray) -> bytes:
            return obj.packed

    return PackedDumper


_DUMPERS: Final = {
    packed: _dumper(packed)
    for packed in (Int4Array, UuidArray, ByteaArray, TextArray, FewTextsArray)
}


def register_arrays(adapters: AdaptersMap) -> None:
    """Let a connection, or all that are made later, take these arrays as parameters."""
    for packed, dumper in _DUMPERS.items():
        adapters.register_dumper(packed, dumper)
