"""Connections that write read models: a pool with what all of their transactions need."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from flamewire_ledger.projector.batch import make_room

WriteConnection: TypeAlias = AsyncConnection[Any]
WritePool: TypeAlias = AsyncConnectionPool[WriteConnection]

# Every commit waits for the disk, whatever the server's default: rows and checkpoint would be lost
# together and come again, but readers remember the positions they have seen, and would be told that
# what is gone is there. (Generations that nobody reads do not wait: alone.begin_step.) Only prepared
# statements may keep plans, and not for long, because a plan from when a table was empty reads it
# whole: lane.py forgets them every second. The others are planned for what they are given: lists of
# positions are looked up by hash then, and one after the other in a plan for any list.
_OPTIONS: Final = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "search_path": "read_models,public",
        "synchronous_commit": "on",
        "plan_cache_mode": "auto",
        "jit": "off",
        "timezone": "UTC",
        "work_mem": "32MB",
        "temp_buffers": "32MB",
        "idle_in_transaction_session_timeout": "300s",
    }.items()
)


def write_pool(database_url: str, *, connections_max: int = 4) -> WritePool:
    """A closed pool: `await pool.open()` before use, `await pool.close()` after."""
    return AsyncConnectionPool(
        database_url,
        connection_class=AsyncConnection[Any],
        kwargs={"autocommit": True, "options": _OPTIONS},
        configure=make_room,
        min_size=1,
        max_size=connections_max,
        open=False,
        timeout=10,
        name="projector",
    )
