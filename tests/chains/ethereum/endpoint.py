"""A loopback stand-in before a node: it can die, stall, refuse, lag, and lie about what it passes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

import httpx

from tests.chains.ethereum.anvil_world import AnvilWorld

# What was asked, with which parameters, and the node's answer; what is told instead.
Lie: TypeAlias = Callable[[str, list[Any], Any], Any]
_STALL_SECONDS_MAX: Final = 30.0
_OF_A_BLOCK: Final = ("eth_getBlockByNumber", "eth_getBlockReceipts")


class Endpoint:
    """Whatever is set on it holds for the questions that come next."""

    def __init__(self, node_url: str) -> None:
        self.node_url = node_url
        self._client = httpx.Client(timeout=30)
        self._goes_on = threading.Event()
        self.mend()
        self.requests = 0
        self.questions: list[str] = []
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.revive()

    def mend(self) -> None:
        """As good as the node itself, if it is not dead."""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.takes_batches = True
        self.batch_max = 1000
        self.drops_answers = False
        self.head_max: int | None = None
        self.calls_the_head_final = False
        self.has_blocks = True  # or only knows what the head is, and what is final
        self.spoils: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.lie: Lie | None = None
        self._goes_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/secret-key"

    # Whether it answers at all.

    def stall(self) -> None:
        """Take questions, and answer none before `mend`."""
        self._goes_on.clear()

    def kill(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._goes_on.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def revive(self) -> None:
        """Listen on the same port as before."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self._port), _handler_of(self))
            self._port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.kill()
        self._client.close()

    def wait(self) -> None:
        self._goes_on.wait(_STALL_SECONDS_MAX)

    # What it answers.

    def answer(self, body: bytes) -> bytes:
        self.requests += 1
        asked = json.loads(body)
        if self.status != 200:
            return b"no"
        if isinstance(asked, list):
            if not self.takes_batches or len(asked) > self.batch_max:
                return self._refusal(asked)
            told = self._told(asked)
            return json.dumps(told[: len(told) // 2] if self.drops_answers else told).encode()
        return json.dumps(self._told([asked])[0]).encode()

    def _refusal(self, asked: list[Any]) -> bytes:
        refusal = {"code": -32600, "message": "too much at once"}
        if not self.takes_batches:
            return json.dumps({"jsonrpc": "2.0", "id": None, "error": refusal}).encode()
        return json.dumps(
            [{"jsonrpc": "2.0", "id": each["id"], "error": refusal} for each in asked]
        ).encode()

    def _told(self, asked: list[Any]) -> list[Any]:
        self.questions += [each["method"] for each in asked]
        for each in asked:
            each["params"] = self._meant(each["method"], each["params"])
        answers = self._client.post(self.node_url, json=asked).json()
        by_id = {each["id"]: each for each in asked}
        return [self._spoilt(by_id[each["id"]], each) for each in answers]

    def _meant(self, method: str, params: list[Any]) -> list[Any]:
        """The parameters of who lags, or takes the head for final."""
        if method not in _OF_A_BLOCK:
            return params
        tag = params[0]
        if tag == "finalized" and self.calls_the_head_final:
            tag = "latest"
        if tag == "latest" and self.head_max is not None:
            tag = hex(self.head_max)
        return [tag, *params[1:]]

    def _spoilt(self, asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        if method in _OF_A_BLOCK and params[0].startswith("0x") and not self.has_blocks:
            error = {"code": -32000, "message": "header not found"}
            return {"jsonrpc": "2.0", "id": asked["id"], "error": error}
        if "result" in answer and method in _OF_A_BLOCK and self.head_max is not None:
            height = _height(params, answer["result"])
            if height is None or height > self.head_max:
                answer = {**answer, "result": None}
        if "result" in answer and self.lie is not None:
            answer = {**answer, "result": self.lie(method, params, answer["result"])}
        return self.spoils(answer) if self.spoils else answer


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever asked has hung up: that is what stalling is for."""


def _handler_of(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.wait()
            answer = endpoint.answer(body)
            self.send_response(endpoint.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return None

    return Handler


def _height(params: list[Any], result: Any) -> int | None:
    """Of the block that an answer is about."""
    if isinstance(result, dict):
        return int(result["number"], 16)
    return int(params[0], 16) if str(params[0]).startswith("0x") else None


@contextmanager
def endpoint(world: AnvilWorld) -> Iterator[Endpoint]:
    made = Endpoint(world.anvil.url)
    yield made
    made.close()
