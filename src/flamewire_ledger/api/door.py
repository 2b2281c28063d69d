"""The door: what every request passes before its handler sees it, and every answer on its way out.

In this order: who asks, how often, whether they may, what they ask, and whether it was asked
before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flamewire_ledger.api import problems, requests
from flamewire_ledger.api.authentication import Caller, authenticate, require_scope
from flamewire_ledger.api.call import Answer, Call, Office
from flamewire_ledger.api.exchange import Exchange, Header, refuse, respond, stream
from flamewire_ledger.api.fields import is_clean
from flamewire_ledger.api.idempotency import check_key, command_of, fingerprint
from flamewire_ledger.api.operation import JSON, Operation
from flamewire_ledger.api.problems import Problem
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.security.rate_limits import Verdict
from flamewire_ledger.store.event_store import StoreUnavailable

_PLAIN_PATH: Final = re.compile(r"(/[A-Za-z0-9_-]+)+\Z")


async def pass_through(
    operation: Operation, office: Office, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one request of an operation; a refusal becomes a problem here."""
    exchange = Exchange.of(scope)
    exchange.route = f"{operation.method} {operation.path}"
    try:
        answer = await _answer(operation, office, scope, receive, exchange)
    except Problem as problem:
        await refuse(problem, exchange, send)
    except Rejection as rejection:
        await refuse(problems.of_rejection(rejection), exchange, send)
    except (StoreUnavailable, OperationalError, PoolTimeout):
        await refuse(problems.store_unavailable(), exchange, send)
    except ReadModelNotBuilt:
        await refuse(problems.projection_behind(0), exchange, send)
    else:
        status = answer.status or operation.status
        if answer.more is None:
            await respond(send, status, answer.media_type, answer.body, answer.headers)
        else:
            pieces = _with_first(answer.body, answer.more)
            await stream(send, status, answer.media_type, pieces, answer.headers)


async def _with_first(first: bytes, more: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in more:
        yield piece


def problem_response(problem: Problem, exchange: Exchange) -> Response:
    exchange.code = problem.code
    return Response(
        problem.encoded(exchange.request_id),
        status_code=problem.status,
        media_type=problems.MEDIA_TYPE,
        headers=dict(problem.headers),
    )


async def _answer(
    operation: Operation, office: Office, scope: Scope, receive: Receive, exchange: Exchange
) -> Answer:
    parts, sent = office.parts, exchange.sent
    caller = await authenticate(sent.get(b"authorization", b"").decode("latin-1"), parts.keys)
    exchange.caller = caller
    await _limit_rate(office, caller, exchange)
    if operation.scope is not None:
        require_scope(caller, operation.scope)
    path: Mapping[str, str] = scope["path_params"]
    if not is_clean("".join(path.values())):
        raise problems.not_found()
    query = requests.validate_query(operation.query, scope["query_string"])
    key = _key(operation, sent)
    content, body = await _body(operation, office, sent, receive)
    command_id, has_key = command_identity(office, caller, key)
    call = Call(
        office=office,
        caller=caller,
        request_id=exchange.request_id,
        path=path,
        query=query,
        body=body,
        command_id=command_id,
        fingerprint=fingerprint(operation.method, _path(scope), content) if has_key else b"",
        has_key=has_key,
    )
    return await operation.answer(call)


def _path(scope: Scope) -> str:
    """The path as fingerprints have it. Parsing a URL to find it is for paths with odd letters."""
    path: str = scope["path"]
    return path if _PLAIN_PATH.match(path) else Request(scope).url.path


def command_identity(office: Office, caller: Caller, key: str | None) -> tuple[UUID, bool]:
    """The command's id, the same for the same key; one of its own when there is no key."""
    if key is not None:
        return command_of(caller.merchant_id, key), True
    return UUID(bytes=office.parts.entropy(16), version=4), False


async def _limit_rate(office: Office, caller: Caller, exchange: Exchange) -> None:
    verdict = await office.parts.rate_limits.take(caller.key_id)
    exchange.headers += rate_limit_headers(verdict)
    if not verdict.allowed:
        raise problems.rate_limited(verdict.reset_seconds)


def rate_limit_headers(verdict: Verdict) -> list[Header]:
    """RateLimit-Policy and RateLimit, as in draft-ietf-httpapi-ratelimit-headers-10."""
    policy = verdict.policy
    return [
        (b"ratelimit-policy", b'"key";q=%d;w=%d' % (policy.quota, policy.window_seconds)),
        (b"ratelimit", b'"key";r=%d;t=%d' % (verdict.remaining, verdict.reset_seconds)),
    ]


async def _body(
    operation: Operation, office: Office, sent: Mapping[bytes, bytes], receive: Receive
) -> tuple[Any, Any]:
    """The body parsed, and as the operation's model; bytes where it takes no JSON."""
    if operation.request is None:
        return {}, None
    limits = office.parts.limits
    if operation.body_bytes_max is not None:
        limits = replace(limits, body_bytes_max=operation.body_bytes_max)
    data = await requests.read_bytes(sent, receive, limits)
    if operation.takes != JSON:
        requests.check_media_type(sent, operation.takes, *operation.takes_also)
        data = data if operation.unwrap is None else operation.unwrap(sent, data)
        return {"sha256": hashlib.sha256(data).hexdigest()}, data
    if not data and not any(it.is_required() for it in operation.request.model_fields.values()):
        return {}, requests.validate(operation.request, {})
    requests.check_media_type(sent, operation.takes)
    content = requests.parse_json(data, limits)
    return content, requests.validate(operation.request, content)


def _key(operation: Operation, sent: Mapping[bytes, bytes]) -> str | None:
    if operation.key == "none":
        return None
    key = sent.get(b"idempotency-key")
    if key is None:
        if operation.key == "required":
            raise problems.idempotency_key_missing()
        return None
    return check_key(key.decode("latin-1"))
