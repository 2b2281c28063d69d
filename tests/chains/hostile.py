"""Servers on loopback that send what no honest node would: without end, without sense, packed small."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

ENOUGH: int = 64 * 2**20  # then the server gives up, and the test has failed
CHUNK: bytes = b"[1,2," * 16_384
Answer = Callable[[bytes], Iterator[bytes]]


class Hostile:
    """What it managed to send, and where it is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent = 0


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[Hostile]:
    """Sends the parts that `answer` makes of a request, until the other side has had enough."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            for part in answer(request):
                writer.write(part)
                await writer.drain()
                server.sent += len(part)
                if server.sent > ENOUGH:
                    break
            await asyncio.sleep(0.05)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = Hostile(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


def http(headers: str, *parts: bytes, endless: bytes = b"") -> Answer:
    """An answer of HTTP with these headers; `endless` is said for ever behind its parts."""

    def answer(_: bytes) -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}\r\n\r\n".encode()
        yield from parts
        while endless:
            yield endless

    return answer


def whole(body: bytes, packing: str = "") -> Answer:
    more = f"\r\nContent-Encoding: {packing}" if packing else ""
    return http(f"Content-Length: {len(body)}{more}", body)


def chunk(data: bytes) -> bytes:
    """Of HTTP's chunked encoding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def packed(size: int) -> bytes:
    """So many spaces, a thousandth as long."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b" " * size) + packer.flush()


def greeting(request: bytes) -> bytes:
    """The accepting of a WebSocket (RFC 6455)."""
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    accept = base64.b64encode(digest)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(
    data: bytes, *, opcode: int = 1, is_last: bool = True, length: int | None = None
) -> bytes:
    """Of a WebSocket, said to be so long."""
    first = bytes([opcode | (0x80 if is_last else 0)])
    return first + b"\x7f" + (len(data) if length is None else length).to_bytes(8, "big") + data


def socket(*parts: bytes, endless: bytes = b"") -> Answer:
    """A WebSocket that is accepted and then says this, whatever is asked."""

    def answer(request: bytes) -> Iterator[bytes]:
        yield greeting(request)
        yield from parts
        while endless:
            yield endless

    return answer
