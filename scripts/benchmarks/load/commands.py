"""Commands as bytes: requests made by filling in a template, answers read as far as they have to be.

Making a command costs below a microsecond and reading its answer about one, so that two cores
measure the ledger and not this. An answer that is not what was asked for is never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from scripts.benchmarks.load.plan import UNITS_DIFFERENT, Plan, units_of

_POSITION: Final = re.compile(rb'"position":\s*(\d+)')
PAYMENT_AMOUNT: Final = ("25.00", "USD", 2_500)
_PAY_WITH: Final = b'[{"network":"bittensor","asset":"TAO"},{"network":"ethereum","asset":"ETH"}]'


class WrongAnswer(Exception):
    """The ledger answered something else than was asked: a fault of its, which ends the run."""


class TryAgain(Exception):
    """Nothing was decided: the same request is to be sent again."""


class Refused(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Answer:
    """What a request brought: a position for each command, and the ids of what was made."""

    positions: list[int]
    ids: list[str] = field(default_factory=list)
    replayed: int = 0


class Commands(Protocol):
    """How one kind of work is asked for."""

    def request(self, number: int) -> bytes:
        """The whole HTTP request."""

    def answer(self, number: int, status: int, head: bytes, body: bytes) -> Answer:
        """What was acknowledged; raises TryAgain, Refused or WrongAnswer."""


def commands_of(plan: Plan) -> Commands:
    match plan.work:
        case "consume":
            return Single(plan)
        case "consume_batch":
            return Lines(plan, _consume_line(plan))
        case "payment_batch":
            return Lines(plan, _payment_line(plan))
        case "get":
            return Empty(plan)


class Single:
    """One command a request: POST /v1/credit_accounts/{id}/consume."""

    def __init__(self, plan: Plan) -> None:
        self._prefix = plan.prefix.encode()
        self._accounts = [account.encode() for account in plan.accounts]
        self._bodies = [
            b'{"amount":"0.%06d","reference":"call"}' % units_of(number)
            for number in range(UNITS_DIFFERENT)
        ]
        self._head = (
            b"POST /v1/credit_accounts/%%b/consume HTTP/1.1\r\n%bContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nIdempotency-Key: %%b-%%d\r\n\r\n%%b"
        ) % (_head_of(plan), len(self._bodies[0]))

    def request(self, number: int) -> bytes:
        account = self._accounts[number % len(self._accounts)]
        return self._head % (account, self._prefix, number, self._bodies[number % UNITS_DIFFERENT])

    def answer(self, number: int, status: int, head: bytes, body: bytes) -> Answer:
        _check(status, body)
        if self._accounts[number % len(self._accounts)] not in body:
            raise WrongAnswer(f"an answer about another account: {body[:300]!r}")
        found = _POSITION.match(body, max(0, body.rfind(b'"position"')))
        if found is None:
            raise WrongAnswer(f"an answer without a position: {body[:300]!r}")
        return Answer([int(found[1])], replayed=b"idempotent-replayed" in head)


class _Made(msgspec.Struct):
    id: str | None = None


class _Line(msgspec.Struct):
    id: str | None
    status: str
    position: int | None = None
    code: str | None = None
    detail: str | None = None
    replayed: bool | None = None
    result: _Made | None = None


class Lines:
    """A thousand commands a request: POST /v1/batch."""

    def __init__(self, plan: Plan, line: Callable[[int], bytes]) -> None:
        self._line = line
        self._prefix = plan.prefix
        self._batch = plan.batch
        self._makes = plan.work == "payment_batch"
        self._head = (
            b"POST /v1/batch HTTP/1.1\r\n%bContent-Type: application/x-ndjson\r\n"
            b"Content-Length: %%d\r\nIdempotency-Key: %%b-batch-%%d\r\n\r\n"
        ) % _head_of(plan)
        self._read = msgspec.json.Decoder(_Line).decode_lines

    def request(self, number: int) -> bytes:
        first = number * self._batch
        body = b"".join(map(self._line, range(first, first + self._batch)))
        return self._head % (len(body), self._prefix.encode(), number) + body

    def answer(self, number: int, status: int, head: bytes, body: bytes) -> Answer:
        _check(status, body)
        lines = self._read(body)
        if len(lines) != self._batch:
            raise WrongAnswer(f"{len(lines)} answers to {self._batch} lines")
        first = number * self._batch
        positions: list[int] = []
        ids: list[str] = []
        replayed = 0
        prefix = self._prefix
        for command, line in enumerate(lines, first):
            if line.id != f"{prefix}-{command}":
                raise WrongAnswer(f"line {command - first} answers {line.id}")
            if line.status != "ok" or line.position is None:
                if line.status == "conflict":
                    raise TryAgain(line.code)
                raise Refused(line.code or line.status, line.detail or "")
            positions.append(line.position)
            replayed += bool(line.replayed)
            if self._makes:
                if line.result is None or line.result.id is None:
                    raise WrongAnswer("an answer without the id of what was made")
                ids.append(line.result.id)
        return Answer(positions, ids, replayed)


class Empty:
    """An endpoint that does nothing, asked in the way a command is: what HTTP alone costs."""

    def __init__(self, plan: Plan) -> None:
        self._like = Single(plan)

    def request(self, number: int) -> bytes:
        return self._like.request(number)

    def answer(self, number: int, status: int, head: bytes, body: bytes) -> Answer:
        _check(status, body)
        return Answer([0])


def _head_of(plan: Plan) -> bytes:
    host, port = plan.addresses[0]
    return f"Host: {host}:{port}\r\nAuthorization: Bearer {plan.key}\r\n".encode()


def _consume_line(plan: Plan) -> Callable[[int], bytes]:
    accounts = [account.encode() for account in plan.accounts]
    template = (
        b'{"id":"%b-%%d","command":"consume_credits","params":{"credit_account_id":"%%b",'
        b'"amount":"0.%%06d","reference":"call"}}\n'
    ) % plan.prefix.encode()

    def line(number: int) -> bytes:
        return template % (number, accounts[number % len(accounts)], 1 + number % UNITS_DIFFERENT)

    return line


def _payment_line(plan: Plan) -> Callable[[int], bytes]:
    amount, currency, _ = PAYMENT_AMOUNT
    template = (
        b'{"id":"%b-%%d","command":"create_payment_intent","params":{"amount":"%b",'
        b'"currency":"%b","reference":"order-%%d","pay_with":%b}}\n'
    ) % (plan.prefix.encode(), amount.encode(), currency.encode(), _PAY_WITH)

    def line(number: int) -> bytes:
        return template % (number, number)

    return line


class _Problem(msgspec.Struct):
    code: str = "unknown"
    detail: str = ""


def _check(status: int, body: bytes) -> None:
    if 200 <= status < 300:
        return
    if status in {409, 503}:
        raise TryAgain(str(status))
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(f"status {status}", body[:300].decode(errors="replace"))
    raise Refused(problem.code, problem.detail)
