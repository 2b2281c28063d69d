"""The line to one Ethereum node: many questions in one round trip, at its pace, with a deadline.

Answers are the JSON of the node, undecoded: web3's formatters take longer than all the rest.
Endpoints often carry a key in their URL, so they are called by number in every message.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias, cast

from aiohttp import ClientError, ClientResponseError, ClientTimeout
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from flamewire_ledger.chains.answers import AnswerTooLarge
from flamewire_ledger.chains.chain import (
    ChainUnavailable,
    QuestionRefused,
    Throttled,
    WrongChain,
)
from flamewire_ledger.chains.ethereum.session import bounded_session
from flamewire_ledger.chains.pace import Pace

_log = logging.getLogger(__name__)
# Web3 logs URLs, and with them keys: each time it closes a line, and with every question in debugging.
logging.getLogger("web3").setLevel(logging.WARNING)

Question: TypeAlias = tuple[str, list[Any]]
QUESTIONS_MAX: Final = 100  # in one round trip; what many providers allow
# JSON-RPC 2.0: invalid request, no such method, invalid parameters; and a call that was reverted.
# Other endpoints would say the same; anything else may be a limit of this one's.
_FAULTS_OF_THE_QUESTION: Final = (-32600, -32601, -32602, 3)
_TOO_MANY_REQUESTS: Final = 429  # as an HTTP status, and as some providers' JSON-RPC code


class NodeRefused(QuestionRefused):
    """The node says that it was asked something wrong."""


class NodeFailed(ChainUnavailable):
    """The node answered a question with an error of its own."""


class Node:
    """One endpoint. Use it from one event loop; what chain it is of is asked before all else."""

    def __init__(
        self,
        number: int,
        url: str,
        evm_chain_id: int,
        *,
        timeout_seconds: float = 10.0,
        requests_per_second: int | None = None,
    ) -> None:
        self.number = number
        self._evm_chain_id = evm_chain_id
        timeout = ClientTimeout(total=timeout_seconds)
        self._provider = AsyncHTTPProvider(
            url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
        )
        self._has_session = False
        self._pace = Pace(requests_per_second)
        self._is_checked = False
        self._takes_batches = True
        self.questions_max = min(QUESTIONS_MAX, requests_per_second or QUESTIONS_MAX)
        self.round_trips = 0

    async def ask(self, *questions: Question) -> list[Any]:
        """The answers, in order: a round trip for each `questions_max` of them.

        Raises NodeRefused or NodeFailed when an answer is an error, Throttled when it is that there
        were too many questions, ChainUnavailable when there is none, WrongChain when the node is of
        another chain: that is asked at first, and again when it has been away.
        """
        if not self._is_checked:
            await self._check()
        answers: list[Any] = []
        for first in range(0, len(questions), self.questions_max):
            answers += await self._ask(questions[first : first + self.questions_max])
        return answers

    async def aclose(self) -> None:
        await self._provider.disconnect()

    async def _check(self) -> None:
        (answer,) = await self._ask([("eth_chainId", [])])
        if _number(answer) != self._evm_chain_id:
            raise WrongChain(
                f"endpoint {self.number} is of chain {answer}, not {self._evm_chain_id}: "
                "correct rpc_urls or chain_id in the networks file"
            )
        self._is_checked = True

    async def _ask(self, questions: Sequence[Question]) -> list[Any]:
        await self._pace.wait(len(questions))
        try:
            responses = await self._responses(questions)
        except ClientResponseError as error:
            self._is_checked = False
            if error.status == _TOO_MANY_REQUESTS:
                raise Throttled("it wants to be asked less", retry_after_seconds(error)) from None
            raise ChainUnavailable(f"a node did not answer: HTTP status {error.status}") from None
        except (ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            self._is_checked = False
            reason = str(error) if isinstance(error, OSError) else ""
            # A ClientError's own text may hold the URL, and with it a key.
            name = type(error).__name__
            raise ChainUnavailable(
                f"a node did not answer: {name}"
                + (f" ({reason})" if reason and not isinstance(error, ClientError) else "")
            ) from None
        except (AnswerTooLarge, RecursionError) as error:
            raise ChainUnavailable(f"a node answered too much: {type(error).__name__}") from None
        except (AttributeError, Web3Exception) as error:
            raise ChainUnavailable(f"a node answered nonsense: {type(error).__name__}") from None
        return [
            _result(method, response)
            for (method, _), response in zip(questions, responses, strict=True)
        ]

    async def _responses(self, questions: Sequence[Question]) -> list[RPCResponse]:
        if not self._has_session:
            await self._provider.cache_async_session(bounded_session())
            self._has_session = True
        asked = [(RPCEndpoint(method), parameters) for method, parameters in questions]
        if len(asked) > 1 and self._takes_batches:
            self.round_trips += 1
            answer = await self._provider.make_batch_request(asked)
            if isinstance(answer, list):
                if len(answer) != len(asked):
                    raise ValueError("a batch came back with answers missing")
                return answer
            _log.warning("endpoint %d takes no batches: it is slower for that", self.number)
            self._takes_batches = False
        self.round_trips += len(asked)
        return [await self._provider.make_request(*question) for question in asked]


def _number(answer: Any) -> int:
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise ChainUnavailable("eth_chainId: the node's answer makes no sense") from None


def _result(method: str, response: RPCResponse) -> Any:
    if not isinstance(response, dict):
        raise ChainUnavailable(f"{method}: the node's answer makes no sense")
    error = cast("dict[str, Any] | None", response.get("error"))
    if error is not None:
        is_detailed = isinstance(error, dict)
        code = error.get("code", 0) if is_detailed else 0
        message = str(error.get("message", "") if is_detailed else error)[:200]
        sentence = f"{method}: the node says {message!r} ({code})"
        if code == _TOO_MANY_REQUESTS:
            raise Throttled(sentence)
        is_refusal = code in _FAULTS_OF_THE_QUESTION or "revert" in message
        raise (NodeRefused if is_refusal else NodeFailed)(sentence)
    if "result" not in response:
        raise ChainUnavailable(f"{method}: the node's answer has no result")
    return response["result"]


def retry_after_seconds(error: ClientResponseError) -> float | None:
    """RFC 9110: seconds, or a time, which is compared with the node's own clock and not with ours."""
    headers: Mapping[str, str] = error.headers or {}
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:12])
    until, now = _time(said), _time(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
