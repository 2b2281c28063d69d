"""A loopback stand-in before a node: it can fail, refuse batches, or find them too large."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.chains.ethereum.anvil_world import AnvilWorld


class Endpoint:
    """A loopback stand-in before a node: it can fail, refuse batches, or find answers too large."""

    def __init__(self, node_url: str) -> None:
        self.node_url = node_url
        self.status = 200
        self.takes_batches = True
        self.batch_max = 1000
        self.spoils: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.requests = 0
        self._client = httpx.Client(timeout=30)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = outer.answer(body)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-key"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def answer(self, body: bytes) -> bytes:
        self.requests += 1
        asked = json.loads(body)
        if self.status != 200:
            return b"no"
        if isinstance(asked, list) and (not self.takes_batches or len(asked) > self.batch_max):
            refusal = {"code": -32600, "message": "too much at once"}
            if not self.takes_batches:
                return json.dumps({"jsonrpc": "2.0", "id": None, "error": refusal}).encode()
            return json.dumps(
                [{"jsonrpc": "2.0", "id": each["id"], "error": refusal} for each in asked]
            ).encode()
        json_type = {"Content-Type": "application/json"}
        answer = self._client.post(self.node_url, content=body, headers=json_type).json()
        if self.spoils:
            answer = [self.spoils(each) for each in answer] if isinstance(answer, list) else (
                self.spoils(answer)
            )  # fmt: skip
        return json.dumps(answer).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._client.close()


@contextmanager
def endpoint(world: AnvilWorld) -> Iterator[Endpoint]:
    made = Endpoint(world.anvil.url)
    yield made
    made.close()
