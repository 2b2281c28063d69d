"""A small HTTP server that misbehaves on request: it remembers which keys came, and how often."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

# What to do with a request, by its key and how often the key has come: an answer, or None to hang up.
Behave: TypeAlias = Callable[[str, int], Awaitable[bytes | None]]


class Server:
    """Answers with a position; `asked` counts requests by idempotency key."""

    def __init__(self, behave: Behave | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.positions: dict[str, int] = {}
        self.address = ("127.0.0.1", 0)
        self._behave = behave

    def acknowledgement(self, key: str) -> bytes:
        """The same position for the same key, as an idempotent ledger gives."""
        position = self.positions.setdefault(key, len(self.positions) + 1)
        return answer(200, {"credit_account_id": "ca_1", "position": position})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(
                    line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line
                )
                await reader.readexactly(int(fields["content-length"]))
                key = fields["idempotency-key"]
                self.asked[key] += 1
                said = await self._behave(key, self.asked[key]) if self._behave else None
                if said is None and self._behave:
                    return
                writer.write(said or self.acknowledgement(key))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()


def answer(status: int, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    return f"{head}\r\n\r\n".encode() + data


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = listening.sockets[0].getsockname()[:2]
    try:
        yield server
    finally:
        listening.close()
