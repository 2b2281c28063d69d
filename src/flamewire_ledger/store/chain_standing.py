"""Where the followers of chains stand, for who looks at the ledger from outside: how far each chain was
followed, by whom, and who stands by.

A watcher is known by the locks that its turn holds (chain_turns.py) and by the name it gave its
connection. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Final

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "chain_standing.sql").items()
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of the following of one chain."""

    height: int | None = None  # the last block taken in; None: it was never followed
    saved_at: datetime | None = None
    followed_by: str | None = None
    standing_by: tuple[str, ...] = ()


async def chain_standings(
    connections: Connections, chain_ids: Sequence[str]
) -> Mapping[str, Standing]:
    """Of each of these chains, by CAIP-2 id. Raises StoreUnavailable."""
    parameters = {"chain_ids": list(chain_ids)}
    async with connections.use() as connection:
        cursors = await (await connection.execute(_SQL["cursors"], parameters)).fetchall()
        watchers = await (await connection.execute(_SQL["watchers"], parameters)).fetchall()
    places = {chain_id: (height, saved_at) for chain_id, height, saved_at in cursors}
    standings = {}
    for chain_id in chain_ids:
        height, saved_at = places.get(chain_id, (None, None))
        names = [(name, follows) for of, name, follows in watchers if of == chain_id]
        standings[chain_id] = Standing(
            height,
            saved_at,
            next((name for name, follows in names if follows), None),
            tuple(name for name, follows in names if not follows),
        )
    return standings


async def held_up(connections: Connections, chain_id: str, finalized_height: int) -> int:
    """How many transfers are final and not confirmed: too few endpoints attest them, or the ledger
    refuses them. Raises StoreUnavailable.
    """
    parameters = {"chain_id": chain_id, "height": finalized_height}
    async with connections.use() as connection:
        (count,) = await (await connection.execute(_SQL["held_up"], parameters)).fetchone() or (0,)
    return int(count)
