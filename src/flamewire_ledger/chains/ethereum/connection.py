"""The line to Ethereum nodes: many questions in one round trip, a deadline, and another node when one fails.

Answers are the JSON of the node, undecoded: web3's formatters take longer than all the rest.
Endpoints often carry a key in their URL, so they are called by number in every message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from aiohttp import ClientError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain

_log = logging.getLogger(__name__)

Question: TypeAlias = tuple[str, list[Any]]
QUESTIONS_MAX: Final = 50  # in one round trip; many providers allow 100
# JSON-RPC 2.0: invalid request, no such method, invalid parameters. Other endpoints would say the same;
# anything else may be a limit of this one's.
_FAULTS_OF_THE_QUESTION: Final = (-32600, -32601, -32602)
_HOME_AFTER_SECONDS: Final = 60.0  # how long after a failure the first endpoint is tried again


class NodeRefused(ChainUnavailable):
    """The node answered a question with an error. `code` is JSON-RPC's."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: the node says {message!r} ({code})")
        self.code = code


@dataclass(slots=True)
class _Endpoint:
    number: int
    provider: AsyncHTTPProvider
    is_checked: bool = False
    takes_batches: bool = True


class Connection:
    """A few endpoints of one chain, the first preferred. Use it from one event loop."""

    def __init__(
        self, urls: Sequence[str], evm_chain_id: int, *, timeout_seconds: float = 10.0
    ) -> None:
        timeout = ClientTimeout(total=timeout_seconds)
        self._endpoints = [
            _Endpoint(
                number,
                AsyncHTTPProvider(
                    url,
                    request_kwargs={"timeout": timeout},
                    exception_retry_configuration=None,
                ),
            )
            for number, url in enumerate(urls, start=1)
        ]
        self._evm_chain_id = evm_chain_id
        self._current = 0
        self._left_home_at = 0.0
        self.round_trips = 0

    async def ask(self, questions: Sequence[Question]) -> list[Any]:
        """The answers, in order: a round trip for each QUESTIONS_MAX of them.

        Raises NodeRefused when a node answers a question with an error, ChainUnavailable when no
        endpoint answers, WrongChain when the first that answers is of another chain.
        """
        answers: list[Any] = []
        for first in range(0, len(questions), QUESTIONS_MAX):
            answers += await self._ask_any(questions[first : first + QUESTIONS_MAX])
        return answers

    async def aclose(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.provider.disconnect()

    # Endpoints.

    async def _ask_any(self, questions: Sequence[Question]) -> list[Any]:
        """Of the endpoint in use, and of each of the others once when it does not answer."""
        self._go_home()
        fault: ChainUnavailable | None = None
        for _ in self._endpoints:
            endpoint = self._endpoints[self._current]
            try:
                await self._check(endpoint)
                return await self._ask_one(endpoint, questions)
            except ChainUnavailable as error:
                if isinstance(error, NodeRefused) and error.code in _FAULTS_OF_THE_QUESTION:
                    raise
                _log.warning("endpoint %d: %s", endpoint.number, error)
                fault = error
                self._leave()
        raise fault or ChainUnavailable("no endpoint is configured")

    def _go_home(self) -> None:
        away_seconds = asyncio.get_running_loop().time() - self._left_home_at
        if self._current and away_seconds >= _HOME_AFTER_SECONDS:
            self._current = 0

    def _leave(self) -> None:
        if self._current == 0:
            self._left_home_at = asyncio.get_running_loop().time()
        self._current = (self._current + 1) % len(self._endpoints)

    async def _check(self, endpoint: _Endpoint) -> None:
        if endpoint.is_checked:
            return
        (answer,) = await self._ask_one(endpoint, [("eth_chainId", [])])
        if not isinstance(answer, str) or int(answer, 16) != self._evm_chain_id:
            sentence = (
                f"endpoint {endpoint.number} is of chain {answer}, not {self._evm_chain_id}: "
                "correct rpc_urls or chain_id in the networks file"
            )
            if any(other.is_checked for other in self._endpoints):
                # The configuration is right elsewhere: a stray stand-in must not end what works.
                raise ChainUnavailable(sentence)
            raise WrongChain(sentence)
        endpoint.is_checked = True

    # Round trips.

    async def _ask_one(self, endpoint: _Endpoint, questions: Sequence[Question]) -> list[Any]:
        try:
            responses = await self._responses(endpoint, questions)
        except (ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error) if isinstance(error, OSError) else ""
            # A ClientError's own text may hold the URL, and with it a key.
            name = type(error).__name__
            raise ChainUnavailable(
                f"a node did not answer: {name}"
                + (f" ({reason})" if reason and not isinstance(error, ClientError) else "")
            ) from None
        except Web3Exception as error:
            raise ChainUnavailable(f"a node answered nonsense: {type(error).__name__}") from None
        return [
            _result(method, response)
            for (method, _), response in zip(questions, responses, strict=True)
        ]

    async def _responses(
        self, endpoint: _Endpoint, questions: Sequence[Question]
    ) -> list[RPCResponse]:
        asked = [(RPCEndpoint(method), parameters) for method, parameters in questions]
        if len(asked) > 1 and endpoint.takes_batches:
            self.round_trips += 1
            answer = await endpoint.provider.make_batch_request(asked)
            if isinstance(answer, list):
                if len(answer) != len(asked):
                    raise ValueError("a batch came back with answers missing")
                return answer
            _log.warning("endpoint %d takes no batches: it is slower for that", endpoint.number)
            endpoint.takes_batches = False
        self.round_trips += len(asked)
        return [
            await endpoint.provider.make_request(method, parameters) for method, parameters in asked
        ]


def _result(method: str, response: RPCResponse) -> Any:
    error = cast("dict[str, Any] | None", response.get("error"))
    if error is not None:
        is_detailed = isinstance(error, dict)
        code = error.get("code", 0) if is_detailed else 0
        message = str(error.get("message", "") if is_detailed else error)[:200]
        raise NodeRefused(method, code if isinstance(code, int) else 0, message)
    if "result" not in response:
        raise ChainUnavailable(f"{method}: the node's answer has no result")
    return response["result"]
