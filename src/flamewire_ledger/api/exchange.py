"""An exchange: one request and its answer, from the first byte to the last: its id, its log line,
its last resort.

What no handler caught is caught here, logged once, and answered with a 500 that says nothing but
the request id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, TypeAlias

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flamewire_ledger.api import problems
from flamewire_ledger.api.authentication import Caller
from flamewire_ledger.api.parts import Parts

Header: TypeAlias = tuple[bytes, bytes]
_REQUEST_ID_NAME: Final = b"x-request-id"
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_NO_STORE: Final = (b"cache-control", b"no-store")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_access = structlog.get_logger(__name__)
_is_logged = logging.getLogger(__name__).isEnabledFor


@dataclass(slots=True)
class Exchange:
    """What is known of a request beside itself; filled in on its way."""

    request_id: str
    sent: Mapping[bytes, bytes] = field(default_factory=dict)  # headers; of two the first counts
    headers: list[Header] = field(default_factory=list)  # put on the answer, whatever it is
    caller: Caller | None = None
    route: str = "none"
    code: str | None = None  # of the problem it ended in
    status: int = 0

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> Exchange:
        exchange: Exchange = scope["flamewire.exchange"]
        return exchange


class Exchanges:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._parts.monotonic()
        sent: list[Header] = scope["headers"]
        headers = dict(reversed(sent))
        exchange = scope["flamewire.exchange"] = Exchange(self._request_id(headers), headers)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = _with_ours(message["headers"], exchange)
            await send(message)

        try:
            if sum(map(len, chain.from_iterable(sent))) > self._parts.limits.header_bytes_max:
                await self._refuse(exchange, send_on)
            else:
                await self._app(scope, receive, send_on)
        except ClientDisconnect:
            exchange.code = "client_disconnected"  # there is nobody left to answer
        except Exception as error:
            _access.error("request failed", request_id=exchange.request_id, exc_info=error)
            if exchange.status:
                raise  # the answer has begun: only breaking it off is left
            await refuse(problems.internal(), exchange, send_on)
        finally:
            self._count(exchange, scope, self._parts.monotonic() - started)

    async def _refuse(self, exchange: Exchange, send: Send) -> None:
        problem = problems.headers_too_large(self._parts.limits.header_bytes_max)
        await refuse(problem, exchange, send)

    def _request_id(self, sent: Mapping[bytes, bytes]) -> str:
        """The caller's own where it is one, else a new one."""
        text = sent.get(b"x-request-id", b"").decode("latin-1")
        return text if _REQUEST_ID.match(text) else f"req_{self._parts.entropy(12).hex()}"

    def _count(self, exchange: Exchange, scope: Scope, seconds: float) -> None:
        meter = self._parts.meter
        meter.add("http_requests", route=exchange.route, status=str(exchange.status))
        meter.seconds("http_seconds", seconds, route=exchange.route)
        if not _is_logged(logging.INFO):
            return
        caller = exchange.caller
        _access.info(
            "request",
            request_id=exchange.request_id,
            method=scope["method"],
            path=scope["path"],
            status=exchange.status,
            code=exchange.code,
            milliseconds=round(seconds * 1000, 1),
            merchant_id=caller.merchant_id if caller else None,
            key_id=caller.key_id if caller else None,
        )


def _with_ours(headers: Sequence[Header], exchange: Exchange) -> list[Header]:
    """The headers of an answer with those that every answer has."""
    ours = [*headers, (_REQUEST_ID_NAME, exchange.request_id.encode()), _NO_SNIFFING]
    if not any(name == b"cache-control" for name, _ in headers):
        ours.append(_NO_STORE)
    return ours + exchange.headers


async def respond(
    send: Send, status: int, media_type: str, body: bytes, headers: Mapping[str, str]
) -> None:
    """Send a whole answer. It is what Starlette's Response does, for a third of the time."""
    sent = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def stream(
    send: Send,
    status: int,
    media_type: str,
    pieces: AsyncIterator[bytes],
    headers: Mapping[str, str],
) -> None:
    """Send an answer as it is made. Whoever reads slowly is waited for; nothing piles up here."""
    sent = [
        (b"content-type", media_type.encode()),
        *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def refuse(problem: problems.Problem, exchange: Exchange, send: Send) -> None:
    exchange.code = problem.code
    body = problem.encoded(exchange.request_id)
    await respond(send, problem.status, problems.MEDIA_TYPE, body, problem.headers)
