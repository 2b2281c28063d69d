"""Packed arrays arrive as what they say."""

from uuid import uuid4

from flamewire_ledger.store.arrays import (
    ByteaArray,
    FewTextsArray,
    Int4Array,
    TextArray,
    UuidArray,
)
from flamewire_ledger.store.connections import Connections


async def test_arrays_arrive_element_by_element(connections: Connections):
    ids = [uuid4(), uuid4()]
    texts = ["", "ä€😀", "x" * 5000]
    values = [b"", None, b"\x00\xff", b"y" * 5000]
    async with connections.use() as connection:
        cursor = connection.cursor(binary=True)
        await cursor.execute(
            "SELECT %b, %b, %b, %b",
            (Int4Array([0, -1, 2**31 - 1]), UuidArray(ids), TextArray(texts), ByteaArray(values)),
        )
        assert await cursor.fetchone() == ([0, -1, 2**31 - 1], ids, texts, values)


async def test_elements_of_one_length_arrive_as_those_of_many(connections: Connections):
    async with connections.use() as connection:
        cursor = connection.cursor(binary=True)
        few = ["b", "ä", "b", "", "b"]
        await cursor.execute(
            "SELECT %b, %b, %b",
            (TextArray(["aä", "xyz"]), ByteaArray([b"one", b"two", b"six"]), FewTextsArray(few)),
        )
        assert await cursor.fetchone() == (["aä", "xyz"], [b"one", b"two", b"six"], few)


async def test_empty_arrays_are_arrays(connections: Connections):
    async with connections.use() as connection:
        cursor = await connection.execute(
            "SELECT cardinality(%b), cardinality(%b), cardinality(%b), cardinality(%b)",
            (Int4Array([]), TextArray([]), ByteaArray([]), FewTextsArray([])),
        )
        assert await cursor.fetchone() == (0, 0, 0, 0)
