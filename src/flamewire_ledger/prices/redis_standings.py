"""Standings in Redis, shared by all processes: one of them asks the feeds, the others read what it heard.

What does not come in time is not there; a Redis that fails is left alone for a moment, and until
then each process asks for itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import redis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from flamewire_ledger.prices.standing import Standing

ANSWER_SECONDS_MAX: Final = 0.2
ALONE_SECONDS: Final = 1.0
KEEP_SECONDS: Final = 3_600
FOLLOWED_MAX: Final = 256
_CONNECTIONS_MAX: Final = 4
_MARK_DIGITS: Final = 20
_FAULTS: Final = (redis.RedisError, OSError, TimeoutError)
_Answer = TypeVar("_Answer")

# The later standing stays, whoever writes last. Digits of one length compare as text.
_KEEP_LATER: Final = """
if redis.call('GETRANGE', KEYS[1], 0, string.len(ARGV[1]) - 1) < ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
end
"""
# What has run out in the meantime may be somebody else's by now.
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class RedisStandings:
    """Connects when it is first asked; `aclose` afterwards."""

    def __init__(
        self,
        url: str,
        monotonic: Callable[[], float],
        *,
        prefix: str = "flamewire:prices:",
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        pool = ConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS_MAX,
            socket_timeout=answer_seconds_max,
            socket_connect_timeout=answer_seconds_max,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=pool)
        self._monotonic = monotonic
        self._prefix = prefix
        self._alone_until = float("-inf")
        self._token = secrets.token_hex(16)  # tells this process from the others
        self._decoder = msgspec.json.Decoder(Standing)
        self._encoder = msgspec.json.Encoder(decimal_format="string")

    async def aclose(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def read(self, symbols: Sequence[str]) -> Mapping[str, Standing]:
        if not symbols:
            return {}
        names = [self._name(symbol) for symbol in symbols]
        nothing: list[Any] = []
        values = await self._try(lambda: self._redis.mget(names), nothing)
        found: dict[str, Standing] = {}
        for symbol, value in zip(symbols, values, strict=False):
            standing = self._decoded(value)
            if standing is not None and standing.symbol == symbol:
                found[symbol] = standing
        return found

    async def write(self, standings: Sequence[Standing]) -> None:
        async def send() -> None:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for each in standings:
                    mark = f"{int(each.asked_at.timestamp() * 1_000_000):0{_MARK_DIGITS}d}"
                    value = self._encoder.encode(each)
                    name, keep = self._name(each.symbol), KEEP_SECONDS * 1000
                    pipeline.eval(_KEEP_LATER, 1, name, mark, value, keep)
                    if each.price is not None:
                        pipeline.zadd(f"{self._prefix}followed", {each.symbol: int(mark)})
                pipeline.zremrangebyrank(f"{self._prefix}followed", 0, -FOLLOWED_MAX - 1)
                await pipeline.execute()

        if standings:
            await self._try(send, None)

    async def claim(self, seconds: float) -> bool:
        async def take() -> bool:
            name = f"{self._prefix}asking"
            milliseconds = int(seconds * 1000)
            return bool(await self._redis.set(name, self._token, nx=True, px=milliseconds))

        return await self._try(take, True)

    async def release(self) -> None:
        async def give_up() -> None:
            await self._redis.eval(_RELEASE, 1, f"{self._prefix}asking", self._token)

        await self._try(give_up, None)

    async def symbols(self) -> Sequence[str]:
        async def look() -> list[str]:
            found: list[Any] = await self._redis.zrange(f"{self._prefix}followed", 0, FOLLOWED_MAX)
            return [name.decode() for name in found]

        return await self._try(look, [])

    def _name(self, symbol: str) -> str:
        return f"{self._prefix}standing:{symbol}"

    def _decoded(self, value: bytes | None) -> Standing | None:
        """None for what is no standing of ours."""
        if value is None:
            return None
        try:
            return self._decoder.decode(value[_MARK_DIGITS:])
        except msgspec.MsgspecError:
            return None

    async def _try(self, ask: Callable[[], Awaitable[_Answer]], otherwise: _Answer) -> _Answer:
        if self._monotonic() < self._alone_until:
            return otherwise
        try:
            return await ask()
        except _FAULTS:
            self._alone_until = self._monotonic() + ALONE_SECONDS
            return otherwise
