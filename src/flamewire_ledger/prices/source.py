"""Asking a price source over HTTP: one GET, a bound on what it may answer, and numbers that stay exact.

Sources err in their own ways, often with status 200; each feed looks at the body first. What is
said of a failure names the source and never the request: its headers and address may hold a key.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.prices.pace import Pace

if TYPE_CHECKING:
    import httpx

    Transport: TypeAlias = httpx.AsyncBaseTransport
else:
    Transport: TypeAlias = Any

ANSWER_BYTES_MAX: Final = 1_000_000
TIMEOUT_SECONDS: Final = 3.0
PRICE_DIGITS_MAX: Final = 40
PRICE_EXPONENT_MAX: Final = 18  # on either side of the point; 1E+999999 would break the arithmetic
_SAID_MAX: Final = 40


class Source:
    """One price source's address and pace. The client is made when it is first asked."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        now: Callable[[], datetime],
        requests_per_second: float,
        burst: int = 5,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._name = name
        self._base_url = base_url
        self._headers = dict(headers or {})
        self._now = now
        self._transport = transport
        self._pace = Pace(requests_per_second, now, burst=burst)
        self._client: httpx.AsyncClient | None = None

    async def get(self, path: str, **parameters: str) -> tuple[int, Any, datetime]:
        """Status, decoded JSON with numbers that have a point as Decimal, and from when the answer
        is: a cache on the way says how long it kept it. Raises FeedUnavailable.
        """
        # Httpx takes a tenth of a second to import, and a sandbox never asks anybody.
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers=self._headers,
                timeout=TIMEOUT_SECONDS,
                verify=_trusted(),
                transport=self._transport,
            )
        await self._pace.turn()
        try:
            async with self._client.stream("GET", path, params=parameters) as response:
                body = b""
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise FeedUnavailable(f"{self._name} answered more than can be a price")
        except httpx.HTTPError as error:
            raise FeedUnavailable(f"{self._name} did not answer: {type(error).__name__}") from None
        at = self._now() - _age(response.headers.get("age", ""))
        return response.status_code, self._decoded(response.status_code, body), at

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def refused(self, status: int, why: object = "") -> FeedUnavailable:
        """What to raise when the source would not say."""
        said = f": {str(why)[:200]}" if why else ""
        return FeedUnavailable(f"{self._name} refused ({status}){said}")

    def quote(self, said: object, quoted_at: datetime) -> Quote:
        """What it said as a quote, without a price where that is none."""
        price = price_in(said)
        if price is not None:
            return Quote(self._name, price, quoted_at)
        shown = said if isinstance(said, str | int | Decimal) else type(said).__name__
        why = f"not a price: {str(shown)[:_SAID_MAX]!r}"
        return Quote(self._name, None, quoted_at, dropped=why)

    async def one_by_one(
        self, symbols: Sequence[str], ask: Callable[[str], Awaitable[Quote | None]]
    ) -> Mapping[str, Quote]:
        """Ask a question a symbol, all at the same time; what the source does not know is absent.

        One that it fails at is a quote without a price and does not cost the others, unless it fails
        at all of them: then FeedUnavailable is raised.
        """
        answers = await asyncio.gather(*(ask(it) for it in symbols), return_exceptions=True)
        found: dict[str, Quote] = {}
        faults: list[FeedUnavailable] = []
        for symbol, answer in zip(symbols, answers, strict=True):
            if isinstance(answer, FeedUnavailable):
                faults.append(answer)
                found[symbol] = Quote(self._name, None, self._now(), dropped=f"silent: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            elif answer is not None:
                found[symbol] = answer
        if faults and len(faults) == len(symbols):
            raise faults[-1]
        return found

    def _decoded(self, status: int, body: bytes) -> Any:
        try:
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise FeedUnavailable(f"{self._name} answered nonsense ({status})") from None


def _age(said: str) -> timedelta:
    """RFC 9111, section 5.1."""
    digits = said[:9]
    return timedelta(seconds=int(digits)) if digits.isascii() and digits.isdigit() else timedelta()


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates of this machine, read once for all sources."""
    return ssl.create_default_context()


def price_in(value: object) -> Decimal | None:
    """A price out of JSON, number or text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    if len(str(value)) > PRICE_DIGITS_MAX:
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        return None
    is_price = price.is_finite() and price > 0 and abs(price.adjusted()) <= PRICE_EXPONENT_MAX
    return price if is_price else None
