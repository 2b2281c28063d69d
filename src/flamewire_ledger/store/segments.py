"""Room for what is to come: each partition of the events is kept in segments, and the next one is made before it
is needed.

An append that finds no room makes a segment itself, under the lock it has anyway; so nothing depends on this, but
then one append takes some milliseconds longer. Every process that appends looks: the question is one row a
partition, and only one of them finds something to do.
"""

from __future__ import annotations

import asyncio
import logging
from importlib.resources import files
from typing import Final

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

_log = logging.getLogger(__name__)
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "segments.sql").items()
}
LOOK_SECONDS: Final = 30.0


async def make_room_ahead(connections: Connections) -> int:
    """See that the segment behind the one being filled is there, in every partition; how many were made.

    It waits a fifth of a second for a lock at most, as appends would wait behind it meanwhile. Raises
    StoreUnavailable when it was not to be had; try again later.
    """
    made = await _make_room(connections)
    if made:
        await _make_room(connections)  # what the first transaction made counts from the second on
    return made


async def _make_room(connections: Connections) -> int:
    async with connections.use() as connection, connection.transaction():
        await connection.execute(_SQL["wait_little"])
        row = await (await connection.execute(_SQL["make_room_ahead"])).fetchone()
    assert row is not None, "the function always has an answer"
    return int(row[0])


async def keep_room_ahead(connections: Connections, *, look_seconds: float = LOOK_SECONDS) -> None:
    """Look now and then until cancelled."""
    while True:
        try:
            made = await make_room_ahead(connections)
        except StoreUnavailable as error:
            _log.info("room for events is made a little later: %s", error)
        else:
            if made:
                _log.info("made room for events: %s segments", made)
        await asyncio.sleep(look_seconds)
