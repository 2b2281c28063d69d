"""Problems: RFC 9457 answers, and the only place where an HTTP status is chosen.

A Rejection is expected and becomes what its class says; faults at the door (no key, no JSON, too
long) are made by the functions below. What nobody expected is a 500 that says nothing but its
request id: the log has the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidAddress,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
    PriceUnavailable,
    Rejection,
    UnknownAsset,
    UnknownNetwork,
)

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_MAX: Final = 20  # a thousand wrong fields are told by the first twenty
RETRY_SECONDS: Final = 1  # after a fault that is usually over at once
PRICE_RETRY_SECONDS: Final = 10  # prices are fetched anew twice a minute

# The first class that fits decides, so a subclass stands before its base.
_STATUS: Final[tuple[tuple[type[Rejection], int], ...]] = (
    (Malformed, 422),
    (NotFound, 404),
    (AlreadyExists, 409),
    (NotAllowed, 409),
    (InsufficientCredits, 402),
    (IdempotencyKeyReused, 422),
    (PriceUnavailable, 503),
    (LimitReached, 429),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: in its body (a JSON pointer) or its query (a parameter)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def rendered(self) -> dict[str, str]:
        where = {"pointer": self.pointer, "parameter": self.parameter}
        return {**{k: v for k, v in where.items() if v is not None}, "detail": self.detail}


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is not what was asked for, ready to be sent."""

    status: int
    code: str
    detail: str
    errors: Sequence[Fault] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def rendered(self, request_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:flamewire:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        errors = self.errors
        if self.status == 422 and not errors:
            errors = (Fault(self.detail, pointer=""),)  # the whole document
        if errors:
            body["errors"] = [error.rendered() for error in errors[:ERRORS_MAX]]
        for name, value in self.facts.items():
            body.setdefault(name, value)
        return body

    def encoded(self, request_id: str) -> bytes:
        return msgspec.json.encode(self.rendered(request_id))


def of_rejection(rejection: Rejection) -> Problem:
    """The problem a refusal becomes."""
    status = next((s for kind, s in _STATUS if isinstance(rejection, kind)), 409)
    errors = (
        (Fault(rejection.detail, pointer=rejection.pointer),)
        if rejection.pointer is not None
        else ()
    )
    retry = {503: PRICE_RETRY_SECONDS, 429: RETRY_SECONDS}.get(status)
    headers = {} if retry is None else {"Retry-After": str(retry)}
    return Problem(status, rejection.code, rejection.detail, errors, rejection.facts, headers)


def of_validation(error: ValidationError, *, of_query: bool = False) -> Problem:
    """What pydantic found wrong, without the values that were sent: one may be a secret in the
    wrong place.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = [_fault(one, of_query) for one in found[:ERRORS_MAX]]
    codes = {one["type"] for one in found}
    single = next(iter(codes)) if len(codes) == 1 else ""
    code = single if single in _OWN_CODES else Malformed.code
    if of_query:
        code = "invalid_parameter"
    where = faults[0].parameter if of_query else faults[0].pointer
    return Problem(422, code, f"{where or 'the body'}: {faults[0].detail}", faults)


_MALFORMED: Final = (Malformed, UnknownAsset, UnknownNetwork, InvalidAmount, InvalidAddress)
_OWN_CODES: Final = frozenset(kind.code for kind in _MALFORMED)


def _fault(error: ErrorDetails, of_query: bool) -> Fault:
    reason = _reason(error)
    if of_query:
        return Fault(reason, parameter=".".join(str(part) for part in error["loc"]))
    return Fault(reason, pointer=pointer(error["loc"]))


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    if error["type"] == "missing":
        return "this field is required"
    return error["msg"].removeprefix("Value error, ")


def pointer(path: Sequence[str | int]) -> str:
    """The path as a JSON pointer (RFC 6901); the whole document is the empty text."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def unauthenticated(detail: str, error: str | None = None) -> Problem:
    """401; `error` is the one RFC 6750 names, absent when no key was sent at all."""
    challenge = 'Bearer realm="flamewire"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def insufficient_scope(needed: str) -> Problem:
    challenge = f'Bearer realm="flamewire", error="insufficient_scope", scope="{needed}"'
    return Problem(
        403,
        "insufficient_scope",
        f"this key lacks the scope {needed}: use one that has it, or `*`",
        headers={"WWW-Authenticate": challenge},
    )


def live_key_refused() -> Problem:
    return Problem(403, "sandbox_only", "the sandbox is for test keys (fw_test_…) only")


def not_found(detail: str = "there is nothing at this address") -> Problem:
    return Problem(404, "not_found", detail)


def method_not_allowed(allowed: str) -> Problem:
    return Problem(
        405, "method_not_allowed", f"this address answers to {allowed}", headers={"Allow": allowed}
    )


def malformed_json(detail: str) -> Problem:
    return Problem(400, "malformed_json", detail)


def too_much_json(detail: str) -> Problem:
    return Problem(422, Malformed.code, detail)


def body_too_large(bytes_max: int) -> Problem:
    return Problem(413, "body_too_large", f"a body has at most {bytes_max} bytes")


def batch_too_large(lines_max: int) -> Problem:
    return Problem(
        413, "batch_too_large", f"a batch has at most {lines_max} lines: send the rest in another"
    )


def headers_too_large(bytes_max: int) -> Problem:
    return Problem(431, "headers_too_large", f"all headers have at most {bytes_max} bytes")


def unsupported_media_type(wanted: str) -> Problem:
    return Problem(
        415, "unsupported_media_type", f"send Content-Type: {wanted}", headers={"Accept": wanted}
    )


def idempotency_key_missing() -> Problem:
    return Problem(
        400,
        "idempotency_key_missing",
        "this request moves money: send an Idempotency-Key, a new one for each thing you want done",
    )


def idempotency_key_invalid() -> Problem:
    return Problem(
        400, "idempotency_key_invalid", "an Idempotency-Key has 1 to 255 printable ASCII characters"
    )


def request_in_progress() -> Problem:
    return Problem(
        409,
        "request_in_progress",
        "a request with this Idempotency-Key is still running: ask again for its answer",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def contended() -> Problem:
    return Problem(
        503,
        "contended",
        "others kept changing the same thing first; nothing was done: send it again",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def store_unavailable() -> Problem:
    return Problem(
        503,
        "store_unavailable",
        "the database does not answer; send it again with the same Idempotency-Key",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def projection_behind(position: int) -> Problem:
    return Problem(
        503,
        "projection_behind",
        f"what is read here has not come to position {position} yet: ask again",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def beyond_the_head(detail: str) -> Problem:
    return Problem(422, "position_unknown", detail, (Fault(detail, parameter="as_of"),))


def wrong_parameter(parameter: str, detail: str) -> Problem:
    return Problem(422, "invalid_parameter", detail, (Fault(detail, parameter=parameter),))


def node_unavailable(detail: str) -> Problem:
    return Problem(503, "node_unavailable", detail, headers={"Retry-After": str(RETRY_SECONDS)})


def rate_limited(retry_seconds: int) -> Problem:
    return Problem(
        429,
        "rate_limited",
        f"too many requests with this key: come again in {retry_seconds} s",
        headers={"Retry-After": str(retry_seconds)},
    )


def internal() -> Problem:
    return Problem(
        500,
        "internal",
        "something went wrong here; what became of it is not known: name the request_id when asking",
    )
