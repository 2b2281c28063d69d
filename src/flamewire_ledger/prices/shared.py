"""Standings that several processes share: the Protocol, and what one process does by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from flamewire_ledger.prices.standing import Standing


class SharedStandings(Protocol):
    """One place for all processes. It never raises: while it is away each asks for itself."""

    async def read(self, symbols: Sequence[str]) -> Mapping[str, Standing]:
        """What others have found out; a symbol that nobody asked about is absent."""

    async def write(self, standings: Sequence[Standing]) -> None:
        """Keep what was found out. A later standing stays, whoever writes last."""

    async def claim(self, seconds: float) -> bool:
        """Whether it is ours to ask the feeds now; it is for so long at most. True when nobody can
        be asked about it."""

    async def release(self) -> None:
        """Done asking, if it was ours."""

    async def symbols(self) -> Sequence[str]:
        """What any process follows."""


class AloneStandings:
    """No other process: nothing to read, nobody to wait for."""

    async def read(self, symbols: Sequence[str]) -> Mapping[str, Standing]:
        return {}

    async def write(self, standings: Sequence[Standing]) -> None:
        return None

    async def claim(self, seconds: float) -> bool:
        return True

    async def release(self) -> None:
        return None

    async def symbols(self) -> Sequence[str]:
        return ()
