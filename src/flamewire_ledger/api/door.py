"""The door: what every request passes before its handler sees it, and every answer on its way out.

In this order: who asks, how often, whether they may, what they ask, and whether it was asked
before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from flamewire_ledger.api import problems, requests
from flamewire_ledger.api.authentication import Caller, authenticate, require_scope
from flamewire_ledger.api.call import Answer, Call, Office
from flamewire_ledger.api.exchange import Exchange
from flamewire_ledger.api.fields import is_clean
from flamewire_ledger.api.idempotency import check_key, command_of, fingerprint
from flamewire_ledger.api.operation import JSON, Operation
from flamewire_ledger.api.problems import Problem
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.security.rate_limits import Verdict
from flamewire_ledger.store.event_store import StoreUnavailable


async def pass_through(operation: Operation, office: Office, request: Request) -> Response:
    """Answer one request of an operation; a refusal becomes a problem here."""
    exchange = Exchange.of(request.scope)
    exchange.route = f"{operation.method} {operation.path}"
    try:
        answer = await _answer(operation, office, request, exchange)
    except Problem as problem:
        return problem_response(problem, exchange)
    except Rejection as rejection:
        return problem_response(problems.of_rejection(rejection), exchange)
    except (StoreUnavailable, OperationalError, PoolTimeout):
        return problem_response(problems.store_unavailable(), exchange)
    except ReadModelNotBuilt:
        return problem_response(problems.projection_behind(0), exchange)
    return Response(
        answer.body,
        status_code=answer.status or operation.status,
        media_type=answer.media_type,
        headers=dict(answer.headers),
    )


def problem_response(problem: Problem, exchange: Exchange) -> Response:
    exchange.code = problem.code
    return Response(
        problem.encoded(exchange.request_id),
        status_code=problem.status,
        media_type=problems.MEDIA_TYPE,
        headers=dict(problem.headers),
    )


async def _answer(
    operation: Operation, office: Office, request: Request, exchange: Exchange
) -> Answer:
    parts = office.parts
    caller = await authenticate(request.headers, parts.keys)
    exchange.caller = caller
    await _limit_rate(office, caller, exchange)
    if operation.scope is not None:
        require_scope(caller, operation.scope)
    if not all(is_clean(str(part)) for part in request.path_params.values()):
        raise problems.not_found()
    query = requests.validate_query(operation.query, request.query_params)
    key = _key(operation, request.headers)
    sent, body = await _body(operation, office, request)
    command_id, has_key = command_identity(office, caller, key)
    call = Call(
        office=office,
        caller=caller,
        request_id=exchange.request_id,
        path=request.path_params,
        query=query,
        body=body,
        command_id=command_id,
        fingerprint=fingerprint(operation.method, request.url.path, sent) if has_key else b"",
        has_key=has_key,
    )
    return await operation.answer(call)


def command_identity(office: Office, caller: Caller, key: str | None) -> tuple[UUID, bool]:
    """The command's id, the same for the same key; one of its own when there is no key."""
    if key is not None:
        return command_of(caller.merchant_id, key), True
    return UUID(bytes=office.parts.entropy(16), version=4), False


async def _limit_rate(office: Office, caller: Caller, exchange: Exchange) -> None:
    verdict = await office.parts.rate_limits.take(caller.key_id)
    exchange.headers.update(rate_limit_headers(verdict))
    if not verdict.allowed:
        raise problems.rate_limited(verdict.reset_seconds)


def rate_limit_headers(verdict: Verdict) -> Mapping[str, str]:
    """RateLimit-Policy and RateLimit, as in draft-ietf-httpapi-ratelimit-headers-10."""
    policy = verdict.policy
    return {
        "RateLimit-Policy": f'"key";q={policy.quota};w={policy.window_seconds}',
        "RateLimit": f'"key";r={verdict.remaining};t={verdict.reset_seconds}',
    }


async def _body(operation: Operation, office: Office, request: Request) -> tuple[Any, Any]:
    """The body parsed, and as the operation's model; bytes where it takes no JSON."""
    if operation.request is None:
        return {}, None
    limits = office.parts.limits
    data = await requests.read_bytes(request, limits)
    if operation.takes != JSON:
        requests.check_media_type(request, operation.takes)
        return {"sha256": hashlib.sha256(data).hexdigest()}, data
    if not data and not any(it.is_required() for it in operation.request.model_fields.values()):
        return {}, requests.validate(operation.request, {})
    requests.check_media_type(request, operation.takes)
    sent = requests.parse_json(data, limits)
    return sent, requests.validate(operation.request, sent)


def _key(operation: Operation, headers: Mapping[str, str]) -> str | None:
    if operation.key == "none":
        return None
    key = headers.get("idempotency-key")
    if key is None:
        if operation.key == "required":
            raise problems.idempotency_key_missing()
        return None
    return check_key(key)
