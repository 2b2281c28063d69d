"""A receiver on this machine that keeps what it is sent, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def signatures(self) -> list[str]:
        return self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """`answer`: the status line's end, and headers; `answers` are given first, one each."""

    port: int = 0
    answer: str = "200 OK"
    answers: list[str] = field(default_factory=list)
    body: bytes = b"thanks"
    received: list[Received] = field(default_factory=list)
    release: asyncio.Event | None = None  # answers wait for it
    at_once: int = 0
    most_at_once: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [it.json["type"] for it in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.received.append(Received(first.split(" ")[1], headers, body))
            if self.release is not None:
                await self.release.wait()
            said = self.answers.pop(0) if self.answers else self.answer
            length = f"Content-Length: {len(self.body)}\r\nConnection: close"
            writer.write(f"HTTP/1.1 {said}\r\n{length}\r\n\r\n".encode() + self.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.at_once -= 1
            writer.close()


@asynccontextmanager
async def receiving(
    receiver: Receiver | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = receiver or Receiver()
    receiver.scheme = "http" if tls is None else "https"
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        if receiver.release is not None:
            receiver.release.set()
        server.close()


async def until(question: Callable[[], Any], seconds: float = 5) -> Any:
    """What a question answers once it is not nothing."""
    async with asyncio.timeout(seconds):
        while not (found := question()):
            await asyncio.sleep(0.005)
    return found
