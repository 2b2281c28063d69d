"""The line to one node: questions over one WebSocket, each with a deadline. It blocks: a thread of
its own runs it.

substrate-interface opens the line; questions go over it together instead of one after the other,
so that a batch of blocks takes as long as its slowest answer. Answers are the JSON of the node,
undecoded. No message holds a URL: it may hold a key.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from substrateinterface import SubstrateInterface
from substrateinterface.exceptions import ConfigurationError
from websocket import WebSocketBadStatusException, WebSocketException

from flamewire_ledger.chains import answers as limits
from flamewire_ledger.chains.chain import ChainUnavailable, Throttled
from flamewire_ledger.chains.substrate.bounded_socket import BoundedSocket, bounded_socket

Question: TypeAlias = tuple[str, list[Any]]
QUESTIONS_MAX: Final = 64  # under way at once
_TOO_MANY_REQUESTS: Final = 429
# What nodes and providers say when they are asked too much; JSON-RPC has no code for it.
_THROTTLES: Final = (-32999, -32029, -32005)
_MESSAGE_MAX: Final = 200
_GREETING_BYTES_MAX: Final = 64 * 1024


class NodeRefused(ChainUnavailable):
    """The node answered a question with an error. `code` is JSON-RPC's."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: the node says {message!r} ({code})")
        self.code = code


class Line:
    """An open line. Raises ChainUnavailable when it cannot be opened, or is lost."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._ids = itertools.count(1)
        try:
            substrate = SubstrateInterface(
                url=url,
                ws_options={
                    "timeout": timeout_seconds,
                    "class_": bounded_socket(_GREETING_BYTES_MAX, timeout_seconds),
                },
                auto_discover=False,  # it would ask the node what it is called, without a deadline
                config={"auto_reconnect": False},
            )
        except _FAULTS as error:
            raise _unavailable(error, "cannot be reached") from None
        self._socket: BoundedSocket = substrate.websocket

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """The answers, in order. After ChainUnavailable, but for NodeRefused, the line is of no use."""
        answers: list[Any] = []
        for first in range(0, len(questions), QUESTIONS_MAX):
            answers += self._ask(questions[first : first + QUESTIONS_MAX])
        return answers

    def cut(self) -> None:
        """Let go of it now; a question that waits for its answer gives up. From any thread."""
        self._socket.cut()

    def _ask(self, questions: Sequence[Question]) -> list[Any]:
        asked = {next(self._ids): question for question in questions}
        self._socket.allow(limits.ANSWER_BYTES_MAX, self._timeout_seconds)
        responses: dict[int, Any] = {}
        try:
            for number, (method, parameters) in asked.items():
                request = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
                self._socket.settimeout(self._socket.seconds_left())
                self._socket.send(json.dumps(request))
            while len(responses) < len(asked):
                message = self._heard()
                if message.get("id") in asked:  # or it is late, and nobody waits for it any more
                    responses[message["id"]] = message
        except _FAULTS as error:
            raise _unavailable(error, "did not answer") from None
        return [_result(method, responses[number]) for number, (method, _) in asked.items()]

    def _heard(self) -> Any:
        """The next thing it says, which may be of anything. All it says counts against what it may."""
        self._socket.settimeout(self._socket.seconds_left())
        said = self._socket.recv()
        limits.check_answer(said.encode() if isinstance(said, str) else said)
        return json.loads(said)


_FAULTS: Final = (
    WebSocketException, ConfigurationError, OSError, ValueError, AttributeError, TypeError,
    limits.AnswerTooLarge, RecursionError,
)  # fmt: skip


def _unavailable(error: Exception, what: str) -> ChainUnavailable:
    """In words that hold no URL: an error of the library's may quote it."""
    if isinstance(error, WebSocketBadStatusException):
        status = error.status_code
        if status == _TOO_MANY_REQUESTS:
            return Throttled("it wants to be asked less (HTTP 429)", _retry_after(error))
        return ChainUnavailable(f"a node {what}: HTTP {status}")
    return ChainUnavailable(f"a node {what}: {type(error).__name__}")


def _retry_after(error: WebSocketBadStatusException) -> float | None:
    headers = error.resp_headers or {}
    text = str(headers.get("retry-after", ""))
    return float(text) if text.isascii() and text.isdigit() else None


def _result(method: str, response: Any) -> Any:
    error = response.get("error")
    if error is not None:
        is_detailed = isinstance(error, dict)
        code = error.get("code", 0) if is_detailed else 0
        message = str(error.get("message", "") if is_detailed else error)[:_MESSAGE_MAX]
        if code in _THROTTLES:
            raise Throttled(f"{method}: the node says {message!r} ({code})")
        raise NodeRefused(method, code if isinstance(code, int) else 0, message)
    if "result" not in response:
        raise ChainUnavailable(f"{method}: the node's answer has no result")
    return response["result"]
