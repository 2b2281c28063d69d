"""A stand-in before a Substrate node: it holds finality back, falls silent, or says something else."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve


class Proxy:
    """Passes messages on, each way by a thread of its own.

    The node behind it finalises at once; here a block is final when `finality_lag` others are on it,
    and no block above `final_up_to` is.
    """

    def __init__(self, node_url: str, finality_lag: int = 0) -> None:
        self.node_url = node_url
        self.finality_lag = finality_lag
        self.final_up_to: int | None = None
        self.answers: dict[str, Any] = {}  # by method: what is said instead of what the node says
        self.is_silent = False
        self.status: int | None = None  # of HTTP, instead of opening a line
        self.asked: list[str] = []  # methods
        self._server = serve(
            self._serve, "127.0.0.1", 0, process_request=self._greet, max_size=None
        )
        port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/secret-key"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def height(self) -> int:
        """Of the node's head."""
        with connect(self.node_url, max_size=None) as node:
            node.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "chain_getHeader"}))
            return int(json.loads(node.recv(timeout=30))["result"]["number"], 16)

    def _greet(self, _: ServerConnection, __: Request) -> Response | None:
        if self.status is None:
            return None
        headers = Headers({"Retry-After": "7", "Content-Length": "0"})
        return Response(self.status, "no", headers, b"")

    def _serve(self, client: ServerConnection) -> None:
        with connect(self.node_url, max_size=None) as node:
            back = threading.Thread(target=self._pass_back, args=(node, client), daemon=True)
            back.start()
            with suppress(ConnectionClosed):
                for message in client:
                    if not self.is_silent:
                        self._pass_on(json.loads(message), client, node)

    def _pass_on(
        self, asked: dict[str, Any], client: ServerConnection, node: ClientConnection
    ) -> None:
        method = asked["method"]
        self.asked.append(method)
        if method in self.answers:
            answer = {"jsonrpc": "2.0", "id": asked["id"], **self.answers[method]}
            client.send(json.dumps(answer))
            return
        if method == "chain_getFinalizedHead":
            asked = {**asked, "method": "chain_getBlockHash", "params": [self._final_height()]}
        node.send(json.dumps(asked))

    def _final_height(self) -> int:
        final = max(0, self.height() - self.finality_lag)
        return final if self.final_up_to is None else min(final, self.final_up_to)

    def _pass_back(self, node: ClientConnection, client: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for message in node:
                if not self.is_silent:
                    client.send(message)
