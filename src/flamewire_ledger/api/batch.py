"""Batches: up to a thousand commands in one request, a line each, with an answer a line in the same
order.

Each line is its own idempotent command: its id is the idempotency key, and it does what the single
request with that key would have done, and was done by it if it came before. A line that is refused
leaves the others untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from flamewire_ledger.api import problems
from flamewire_ledger.api.authentication import require_scope
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.fields import is_clean
from flamewire_ledger.api.idempotency import Claims, check_key, command_of, fingerprint
from flamewire_ledger.api.models.batch import Line, PlainLine
from flamewire_ledger.api.operation import NDJSON, Operation
from flamewire_ledger.api.pricing import Till
from flamewire_ledger.api.problems import Fault, Problem
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.api.requests import may_be_deep, parse_json, validate
from flamewire_ledger.api.submitting import (
    POSITION_HEADER,
    Build,
    recorded,
    unless_refused,
    with_position,
)
from flamewire_ledger.commands.decider import Done, Envelope, Failed, Outcome
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.store.event_store import StoreUnavailable

_plain: Final = msgspec.json.Decoder(PlainLine)
LINES_AT_ONCE: Final = 100
CONFLICTS: Final = frozenset({"contended", "store_unavailable", "request_in_progress"})
# What a path calls {id} and {hold}, params call by their whole names. A command whose path names
# what is not here is found when the contract is read.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "payment_intents": {"id": "payment_intent_id"},
    "credit_accounts": {
        "id": "credit_account_id",
        "hold": "hold_id",
        "grant": "grant_id",
        "rule": "recurring_grant_id",
    },
    "invoices": {"id": "invoice_id"},
    "plans": {"id": "plan_id"},
    "subscriptions": {"id": "subscription_id"},
    "reconciliation_exceptions": {"id": "reconciliation_exception_id"},
}


@dataclass(slots=True)
class Work:
    """One line on its way: its envelope, or what became of it already."""

    id: str | None
    inside: str = ""  # where in the line the fault is to be found: the pointer's beginning
    envelope: Envelope | None = None
    outcome: Outcome | Failed | Problem | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """An operation as a line asks for it: with the ids of its path among the params."""

    operation: Operation
    build: Build
    body: type[BaseModel]
    ids: Sequence[tuple[str, str]]  # what the path calls it, and what params do

    @classmethod
    def of(cls, operation: Operation) -> Command:
        assert operation.build is not None, "the table has commands only"
        assert operation.request is not None, "a command has a body, if an empty one"
        names = _NAMES.get(operation.tag, {})
        named = [name for _, name, _, _ in Formatter().parse(operation.path) if name]
        ids = [(name, names[name]) for name in named]
        return cls(operation, operation.build, operation.request, ids)


class Batch:
    """Runs lines against the commands of the contract."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._commands = {name: Command.of(it) for name, it in operations.items()}

    async def run(self, call: Call) -> Answer:
        lines = [line for line in call.body.split(b"\n") if line.strip()]
        most = call.parts.limits.batch_lines_max
        if len(lines) > most:
            raise problems.batch_too_large(most)
        with call.office.running.claims() as claims:
            works = await self._prepare_all(call, lines, claims)
            await _submit(call, works)
        body = b"".join([_answer(work) for work in works])
        headers: dict[str, str] = {}
        done = [work.outcome.position for work in works if isinstance(work.outcome, Done)]
        if done:
            call.office.acknowledged.note(call.merchant_id, max(done))
            headers[POSITION_HEADER] = str(max(done))
        return Answer(body, headers, media_type=NDJSON)

    async def _prepare_all(self, batch: Call, lines: Sequence[bytes], claims: Claims) -> list[Work]:
        till = batch.till(batch.now())
        works: list[Work] = []
        for line in lines:
            works.append(await self._prepare(batch, line, till, claims))
            if len(works) % LINES_AT_ONCE == 0:
                await asyncio.sleep(0)  # a thousand take a while: other requests go in between
        return works

    async def _prepare(self, batch: Call, data: bytes, till: Till, claims: Claims) -> Work:
        """The line's command, built; what is wrong with it is its outcome.

        Nothing but that is kept: the next line finds the memory of this one's call still warm.
        """
        work = Work(None)
        call: Call | None = None
        try:
            line = _parse(batch, data, work)
            command = self._command(batch, line)
            work.inside = "/params"
            call = _call(command, batch, line, till)
            claims.claim(call.command_id)  # twice in one batch: the writer knows repeats
            work.envelope = await command.build(call)
        except Problem as problem:
            work.outcome = problem
        except StoreUnavailable:
            work.outcome = problems.store_unavailable()
        except Rejection as rejection:
            before = None if call is None else await recorded(call)
            work.outcome = before or rejection
        return work

    def _command(self, batch: Call, line: Line | PlainLine) -> Command:
        command = self._commands.get(line.command)
        if command is None:
            known = ", ".join(self._commands)
            fault = Fault(f"there is no such command; there is {known}", pointer="/command")
            raise Problem(422, "unknown_command", fault.detail, [fault])
        if command.operation.scope is not None:
            require_scope(batch.caller, command.operation.scope)
        return command


def _call(command: Command, batch: Call, line: Line | PlainLine, till: Till) -> Call:
    """The call that the single request would be."""
    operation, params = command.operation, line.params
    path = _path(command, params)
    return Call(
        office=batch.office,
        caller=batch.caller,
        request_id=batch.request_id,
        path=path,
        query=batch.query,
        body=validate(command.body, params),
        command_id=command_of(batch.caller.merchant_id, line.id),
        fingerprint=fingerprint(operation.method, operation.path.format(**path), params),
        has_key=True,
        till_of_batch=till,
    )


def _parse(batch: Call, data: bytes, work: Work) -> Line | PlainLine:
    limits = batch.parts.limits
    if not may_be_deep(data, limits) and data.count(b",") <= limits.json_values_max:
        try:
            plain = _plain.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # read once more, to say what is wrong
        else:
            work.id = plain.id
            check_key(plain.id)
            return plain
    sent = parse_json(data, limits)
    key = sent.get("id")
    work.id = key if isinstance(key, str) else None
    line = validate(Line, sent)
    check_key(line.id)
    return line


def _path(command: Command, params: dict[str, Any]) -> dict[str, str]:
    """The ids of the path, taken out of the params, where they have their whole names."""
    path: dict[str, str] = {}
    for name, whole in command.ids:
        value = params.pop(whole, None)
        if not isinstance(value, str) or not is_clean(value) or not 1 <= len(value) <= 64:
            fault = Fault("this command needs it", pointer=f"/{whole}")
            raise Problem(422, "malformed", f"{whole}: {fault.detail}", [fault])
        path[name] = value
    return path


async def _submit(batch: Call, works: Sequence[Work]) -> None:
    """All that could be built, in their order, in one go."""
    built = [work for work in works if work.envelope is not None]
    envelopes = [work.envelope for work in built if work.envelope is not None]
    outcomes = await batch.parts.writer.submit_many(envelopes)
    for work, outcome in zip(built, outcomes, strict=True):
        work.outcome = outcome


def _answer(work: Work) -> bytes:
    """The line's answer and its end; the result is the stored one, to the byte."""
    try:
        done = _done(work)
    except Rejection as rejection:
        return _refused(work, problems.of_rejection(rejection))
    except Problem as problem:
        return _refused(work, problem)
    # What surrounds the result is always the same, and put around it without an encoder.
    return b'{"id":%s,"status":"ok","position":%d,"code":null,"replayed":%s,"result":%s}\n' % (
        to_json(work.id),
        done.position,
        b"true" if done.replayed else b"false",
        with_position(done),
    )


def _done(work: Work) -> Done:
    match work.outcome:
        case Problem():
            raise work.outcome
        case Failed(error):
            is_passing = isinstance(error, StoreUnavailable)
            raise problems.store_unavailable() if is_passing else problems.internal()
        case None:
            raise problems.internal()
        case outcome:
            return unless_refused(outcome)


def _refused(work: Work, problem: Problem) -> bytes:
    is_passing = problem.code in CONFLICTS
    answer = to_json(
        {
            "id": work.id,
            "status": "conflict" if is_passing else "rejected",
            "position": None,
            "code": problem.code,
            "result": None,
            "detail": problem.detail,
            "errors": [
                {**it.rendered(), "pointer": f"{work.inside}{it.pointer}"}
                for it in problem.errors
                if it.pointer is not None
            ],
            **problem.facts,
        }
    )
    return answer + b"\n"
