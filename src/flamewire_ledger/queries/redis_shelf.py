"""A shelf in Redis, shared by API processes: this file holds how it is asked, and what becomes of one that fails.

What does not come in time is not there; a Redis that fails is left alone for
a moment, so that one that is dead slows one request in a while and not each. Keys that are asked for
at about the same time go in one MGET, over few connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import redis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from flamewire_ledger.queries.gather import Crowded, Gather
from flamewire_ledger.queries.shelf import Age

ANSWER_SECONDS_MAX: Final = 0.1
ALONE_SECONDS: Final = 1.0
VALUE_BYTES_MAX: Final = 64 * 1024
_QUESTIONS_MAX: Final = 2
_AGE_DIGITS: Final = 20  # of each of the two numbers that say how late a value is
AGE_BYTES: Final = 2 * _AGE_DIGITS
_FAULTS: Final = (redis.RedisError, OSError, TimeoutError, Crowded)

# Two processes may bring what they read in the wrong order: the later value stays, whoever comes last.
# Digits of one length compare as text. Redis 7.0 and Valkey know these commands.
_KEEP_LATER: Final = """
if redis.call('GETRANGE', KEYS[1], 0, string.len(ARGV[1]) - 1) < ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
end
"""


class RedisShelf:
    """Connects when it is first asked; `aclose` afterwards."""

    def __init__(
        self,
        url: str,
        monotonic: Callable[[], float],
        *,
        prefix: str = "flamewire:",
        keep_seconds_max: int = 600,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        pool = ConnectionPool.from_url(
            url,
            max_connections=2 * _QUESTIONS_MAX,
            socket_timeout=answer_seconds_max,
            socket_connect_timeout=answer_seconds_max,
            retry=Retry(NoBackoff(), 0),  # Postgres answers sooner than a second try
            protocol=2,
        )
        self._redis = Redis(connection_pool=pool)
        self._monotonic = monotonic
        self._prefix = prefix
        self._keep_milliseconds = keep_seconds_max * 1000
        self._alone_until = float("-inf")
        self._reading: Gather[str, bytes] = Gather(self._mget, questions_max=_QUESTIONS_MAX)
        self._keeping: Gather[tuple[str, bytes, bytes], None] = Gather(
            self._keep, questions_max=_QUESTIONS_MAX
        )

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def get(self, key: str) -> tuple[Age, bytes] | None:
        if self._monotonic() < self._alone_until:
            return None
        try:
            value = await self._reading.get(key)
        except _FAULTS:
            self._leave_alone()
            return None
        return None if value is None else _parted(value)

    async def keep(self, key: str, age: Age, value: bytes) -> None:
        if len(value) > VALUE_BYTES_MAX or self._monotonic() < self._alone_until:
            return
        mark = b"%0*d%0*d" % (_AGE_DIGITS, age[0], _AGE_DIGITS, age[1])
        try:
            await self._keeping.get((key, mark, value))
        except _FAULTS:
            self._leave_alone()

    def _leave_alone(self) -> None:
        self._alone_until = self._monotonic() + ALONE_SECONDS

    async def _mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        values: list[bytes | None] = await self._redis.mget([self._prefix + key for key in keys])  # type: ignore[assignment]
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def _keep(
        self, entries: Sequence[tuple[str, bytes, bytes]]
    ) -> Mapping[tuple[str, bytes, bytes], None]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, mark, value in entries:
                pipeline.eval(
                    _KEEP_LATER, 1, self._prefix + key, mark, value, self._keep_milliseconds
                )
            await pipeline.execute()
        return {}


def _parted(value: bytes) -> tuple[Age, bytes] | None:
    """Age and value; None for what is no value of ours."""
    mark = value[:AGE_BYTES]
    if len(mark) < AGE_BYTES or not mark.isdigit():
        return None
    return (int(mark[:_AGE_DIGITS]), int(mark[_AGE_DIGITS:])), value[AGE_BYTES:]
