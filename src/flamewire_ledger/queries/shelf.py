"""A shelf: where several processes keep what they have read, each key with its latest; never an authority."""

from __future__ import annotations

from typing import Protocol, TypeAlias

# Two positions; the larger pair is later. They say nothing between two epochs, whose keys differ.
Age: TypeAlias = tuple[int, int]


class Shelf(Protocol):
    """Values by key. One that cannot be had in time is not there: nothing is raised."""

    async def get(self, key: str) -> tuple[Age, bytes] | None: ...

    async def keep(self, key: str, age: Age, value: bytes) -> None:
        """Unless a later one is there: when this returns, nobody is given an earlier one any more, as
        long as the server is there.
        """
