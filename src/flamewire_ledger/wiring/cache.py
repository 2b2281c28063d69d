"""The cache of what is read most: made when there is a Redis, and not even imported when there is none."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.database import ReadPool
from flamewire_ledger.queries.facts import Cache
from flamewire_ledger.queries.shelf import Shelf
from flamewire_ledger.settings import Settings


def redis_cache(settings: Settings, pool: ReadPool, stack: AsyncExitStack) -> Cache | None:
    """None without a Redis. It connects when it is first asked, and is closed with the stack."""
    if settings.redis_url is None:
        return None
    from flamewire_ledger.queries.redis_shelf import RedisShelf

    shelf = RedisShelf(
        settings.redis_url.get_secret_value(),
        time.monotonic,
        prefix=f"{settings.redis_prefix}:facts:",
        keep_seconds_max=settings.cache_keep_seconds_max,
    )
    stack.push_async_callback(shelf.aclose)
    age_seconds_max = settings.cache_age_ms_max / 1000

    def cache(name: str, streams: str) -> tuple[Changes, Shelf]:
        return (
            Changes(pool, name, streams, time.monotonic, age_seconds_max=age_seconds_max),
            shelf,
        )

    return cache
