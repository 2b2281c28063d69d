"""Sending: one POST to one URL, to an address that was judged, within bounds of time and size.

httpcore is used as it is rather than through httpx: it follows no redirect, asks no proxy of the
environment, keeps no cookie, and lets the network be replaced, which is where a host becomes an
address. TLS is still checked against the host's name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpcore

from flamewire_ledger.webhooks.addresses import NotAllowed, Reach, judged, literal, scheme_of
from flamewire_ledger.webhooks.post import NotSent, Reply

ATTEMPT_SECONDS: Final = 20.0
_CONNECT_SECONDS: Final = 5.0
_ADDRESSES_MAX: Final = 3  # of a host that are tried
_KEPT_SECONDS: Final = 5.0  # a connection that nothing goes through
_KEPT_MAX: Final = 64
_BODY_BYTES_MAX: Final = 16 * 1024  # read of an answer
_SHOWN_CHARACTERS_MAX: Final = 1024  # kept of it
_PORTS: Final = {"https": 443, "http": 80}
_AGENT: Final = "flamewire-webhooks/1"


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system has them, each once. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    """Sends, and keeps connections for the next message a moment."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        resolve: Resolve = resolve,
        attempt_seconds: float = ATTEMPT_SECONDS,
        connections_max: int = 256,
    ) -> None:
        self._tls = tls
        self._resolve = resolve
        self._attempt_seconds = attempt_seconds
        self._connections_max = connections_max
        self._pools: dict[tuple[Reach, str], httpcore.AsyncConnectionPool] = {}

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Reply:
        """One attempt, `attempt_seconds` at most. Raises NotSent."""
        try:
            async with asyncio.timeout(self._attempt_seconds) as limit:
                return await self._send(url, headers, body, reach, limit)
        except TimeoutError:
            raise NotSent(f"no answer within {self._attempt_seconds:g} s") from None
        except NotAllowed as error:
            raise NotSent(str(error)) from None
        except (httpcore.ConnectTimeout, httpcore.PoolTimeout):
            raise NotSent("no connection in time") from None
        except httpcore.ConnectError as error:
            raise NotSent(_of_connecting(error)) from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            ssl.SSLError,
        ):
            raise NotSent("the connection broke before there was an answer") from None

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def _send(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        reach: Reach,
        limit: asyncio.Timeout,
    ) -> Reply:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=parts.scheme.encode(),
                host=(parts.hostname or "").encode(),
                port=parts.port or _PORTS[parts.scheme],
                target=target.encode(),
            ),
            headers=_headers(parts.netloc, headers, body),
            content=body,
        )
        response = await self._pool(reach, scheme_of(url)).handle_async_request(request)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(response.aclose)
            told = dict(response.headers)
            retry_after = told.get(b"retry-after", told.get(b"Retry-After"))
            return Reply(
                status=response.status,
                body=await _beginning(response, limit),
                retry_after=None if retry_after is None else retry_after.decode("latin-1"),
            )

    def _pool(self, reach: Reach, scheme: Literal["http", "https"]) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get((reach, scheme))
        if pool is None:
            pool = self._pools[reach, scheme] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=self._connections_max,
                max_keepalive_connections=_KEPT_MAX,
                keepalive_expiry=_KEPT_SECONDS,
                network_backend=_Judging(reach, scheme, self._resolve),
            )
        return pool


class _Judging(httpcore.AsyncNetworkBackend):
    """Connects to addresses that may be reached, and to no other."""

    def __init__(self, reach: Reach, scheme: str, resolve: Resolve) -> None:
        self._reach = reach
        self._scheme = scheme
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore asks for it so
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                is_literal = literal(host) is not None
                found = [host] if is_literal else await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectError("its name could not be looked up in time") from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("there is no such host") from None
        addresses = judged(found, self._scheme, self._reach)[:_ADDRESSES_MAX]
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._connect(address, port, socket_options)
        return await self._connect(addresses[-1], port, socket_options)

    async def _connect(
        self, address: str, port: int, socket_options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        return await self._network.connect_tcp(
            address, port, timeout=_CONNECT_SECONDS, socket_options=socket_options
        )

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


def _headers(host: str, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    given = {
        "Host": host,
        "User-Agent": _AGENT,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        **headers,
    }
    return [(name.encode(), value.encode()) for name, value in given.items()]


async def _beginning(response: httpcore.Response, limit: asyncio.Timeout) -> str:
    """What it says first. An answer has its status before its body: however that ends, it counts."""
    pieces: list[bytes] = []
    size = 0
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        when = limit.when()
        assert when is not None, "an attempt has a limit"
        remaining = when - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, remaining - 0.5)):
                async for piece in response.aiter_stream():
                    pieces.append(piece)
                    size += len(piece)
                    if size >= _BODY_BYTES_MAX:
                        break
    text = b"".join(pieces).decode("utf-8", "replace")[:_SHOWN_CHARACTERS_MAX]
    return "".join(it if it.isprintable() or it in "\n\t" else "\ufffd" for it in text)


def _of_connecting(error: httpcore.ConnectError) -> str:
    """A sentence for what went wrong. What libraries say of it may name an address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS could not be agreed on"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        cause = cause.__cause__ or cause.__context__
    if type(error.args[0] if error.args else None) is str:
        return str(error)
    return "no connection could be made"
