"""An exchange: one request and its answer, from the first byte to the last: its id, its log line,
its last resort.

What no handler caught is caught here, logged once, and answered with a 500 that says nothing but
the request id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flamewire_ledger.api import problems
from flamewire_ledger.api.authentication import Caller
from flamewire_ledger.api.parts import Parts

REQUEST_ID_HEADER: Final = "X-Request-Id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_access = structlog.get_logger(__name__)
_is_logged = logging.getLogger(__name__).isEnabledFor


@dataclass(slots=True)
class Exchange:
    """What is known of a request beside itself; filled in on its way."""

    request_id: str
    headers: dict[str, str] = field(default_factory=dict)  # put on the answer, whatever it is
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
        exchange = scope["flamewire.exchange"] = Exchange(self._request_id(scope))

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = exchange.request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                for name, value in exchange.headers.items():
                    headers[name] = value
            await send(message)

        try:
            if _size(scope) > self._parts.limits.header_bytes_max:
                await self._refuse(exchange, send_on)
            else:
                await self._app(scope, receive, send_on)
        except ClientDisconnect:
            exchange.code = "client_disconnected"  # there is nobody left to answer
        except Exception as error:
            _access.error("request failed", request_id=exchange.request_id, exc_info=error)
            if exchange.status:
                raise  # the answer has begun: only breaking it off is left
            await _answer(problems.internal(), exchange, send_on)
        finally:
            self._count(exchange, scope, self._parts.monotonic() - started)

    async def _refuse(self, exchange: Exchange, send: Send) -> None:
        problem = problems.headers_too_large(self._parts.limits.header_bytes_max)
        await _answer(problem, exchange, send)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                text: str = value.decode("latin-1")
                if _REQUEST_ID.match(text):
                    return text
        return f"req_{self._parts.entropy(12).hex()}"

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


async def _answer(problem: problems.Problem, exchange: Exchange, send: Send) -> None:
    exchange.code = problem.code
    body = problem.encoded(exchange.request_id)
    headers = [
        (b"content-type", problems.MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _size(scope: Scope) -> int:
    return sum(len(name) + len(value) for name, value in scope["headers"])
