"""Asking a price source over HTTP: one GET, a bound on what it may answer, and numbers that stay exact.

Sources err in their own ways, often with status 200; each feed looks at the body first. What is
said of a failure names the source and never the request: its headers and address may hold a key.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.prices.feed import FeedUnavailable

if TYPE_CHECKING:
    import httpx

ANSWER_BYTES_MAX: Final = 1_000_000
TIMEOUT_SECONDS: Final = 3.0
PRICE_DIGITS_MAX: Final = 40


class Source:
    """One price source's address. The client is made when it is first asked."""

    def __init__(self, name: str, base_url: str, headers: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._base_url = base_url
        self._headers = dict(headers or {})
        self._client: httpx.AsyncClient | None = None

    async def get(self, path: str, **parameters: str) -> tuple[int, Any]:
        """Status and decoded JSON, numbers with a point as Decimal. Raises FeedUnavailable."""
        # Httpx takes a tenth of a second to import, and a sandbox never asks anybody.
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers=self._headers,
                timeout=TIMEOUT_SECONDS,
                verify=_trusted(),
            )
        try:
            async with self._client.stream("GET", path, params=parameters) as response:
                body = b""
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise FeedUnavailable(f"{self._name} answered more than can be a price")
        except httpx.HTTPError as error:
            raise FeedUnavailable(f"{self._name} did not answer: {type(error).__name__}") from None
        return response.status_code, self._decoded(response.status_code, body)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def refused(self, status: int, why: object = "") -> FeedUnavailable:
        """What to raise when the source would not say."""
        said = f": {str(why)[:200]}" if why else ""
        return FeedUnavailable(f"{self._name} refused ({status}){said}")

    def _decoded(self, status: int, body: bytes) -> Any:
        try:
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise FeedUnavailable(f"{self._name} answered nonsense ({status})") from None


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
    return price if price.is_finite() and price > 0 else None
