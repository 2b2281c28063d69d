"""Arrays as Postgres takes them in binary: what a batch travels in.

psycopg can send lists as binary arrays too; packing whole arrays of a known type costs a third of
that, and the type does not change with the size of the numbers in it, so one prepared statement
serves every batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct, pack
from typing import Final
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
        pairs = [part for value in values for part in (4, value)]
        super().__init__(len(values), pack(f">{len(pairs)}i", *pairs))


class UuidArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 2950, 2951

    def __init__(self, values: Sequence[UUID]) -> None:
        super().__init__(len(values), _joined([value.bytes for value in values]))


class ByteaArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 17, 1001

    def __init__(self, values: Sequence[bytes | None]) -> None:
        super().__init__(len(values), _joined(values))


class TextArray(PackedArray):
    __slots__ = ()
    oid, array_oid = 25, 1009

    def __init__(self, values: Sequence[str]) -> None:
        super().__init__(len(values), _joined([value.encode() for value in values]))


def _joined(elements: Iterable[bytes | None]) -> bytes:
    parts: list[bytes] = []
    for element in elements:
        if element is None:
            parts.append(_NULL)
            continue
        length = len(element)
        parts.append(_SHORT[length] if length < len(_SHORT) else _LENGTH.pack(length))
        parts.append(element)
    return b"".join(parts)


def _dumper(array: type[PackedArray]) -> type[Dumper]:
    class PackedDumper(Dumper):
        format = pq.Format.BINARY
        oid = array.array_oid

        def dump(self, obj: PackedArray) -> bytes:
            return obj.packed

    return PackedDumper


_DUMPERS: Final = {array: _dumper(array) for array in (Int4Array, UuidArray, ByteaArray, TextArray)}


def register_arrays(adapters: AdaptersMap) -> None:
    """Let a connection, or all that are made later, take these arrays as parameters."""
    for array, dumper in _DUMPERS.items():
        adapters.register_dumper(array, dumper)
