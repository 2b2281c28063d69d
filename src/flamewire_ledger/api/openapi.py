"""The OpenAPI 3.1 document, made from the contract: what is in it is what the routes are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from flamewire_ledger.api.contract import OPERATIONS
from flamewire_ledger.api.fields import View
from flamewire_ledger.api.operation import JSON, NDJSON, Operation
from flamewire_ledger.api.problems import MEDIA_TYPE

VERSION: Final = "1.0.0"
_MANY: Final = "-batch+json"
_REF: Final = "#/components/schemas/{model}"
_TAGS: Final = {
    "payment_intents": "Asking for payments, and what became of them.",
    "price_locks": "Promises of a rate.",
    "prices": "What things are worth.",
    "credit_accounts": "Credits: granted, held, burnt, lapsed.",
    "invoices": "Receipts with a gapless number.",
    "balances": "The books: both sides of every account.",
    "ledger": "The books: accounts, postings and their sums.",
    "reports": "What the books say of a year.",
    "exports": "The books for other programs.",
    "events": "What happened, in order.",
    "api_keys": "Keys of the caller's own merchant.",
    "signatures": "Who signed what.",
    "tools": "What a text can be.",
    "sandbox": "Playing the payer. Test keys only.",
    "batch": "Many commands in one request.",
    "operation": "Health, metrics, documentation.",
}


class ProblemError(View):
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDocument(BaseModel):
    """RFC 9457. What is available and the like stands beside, where it helps."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ProblemError] | None = None


def document() -> dict[str, Any]:
    """The whole document; the same each time."""
    described: dict[tuple[type[BaseModel], Literal["validation", "serialization"]], None] = {
        (ProblemDocument, "serialization"): None
    }
    for operation in OPERATIONS:
        if operation.request is not None:
            described[operation.request, "validation"] = None
        if operation.response is not None:
            described[operation.response, "serialization"] = None
    _, schemas = models_json_schema(list(described), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    paths.update(_open_paths())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FlameWire Ledger",
            "version": VERSION,
            "summary": "A crypto-payments ledger: price locks, payments, credits, invoices, books.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": says} for name, says in _TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `fw_test_…` for the sandbox, `fw_live_…` for money.",
                }
            },
            "schemas": schemas["$defs"],
        },
    }


_DESCRIPTION: Final = """\
Amounts are decimal strings in major units, with integer strings of base units (`…_minor`) beside
them. A POST that moves money needs an `Idempotency-Key`: the same key with the same content is told
the same answer. Every answer to a command carries `X-Ledger-Position`; give it as `min_position` to
read what you wrote. Errors are RFC 9457 problems with a `code` to act on and a `request_id` to ask
about.
"""


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation.path),
            *_query_parameters(operation.query),
            *_header_parameters(operation),
        ],
        "responses": _responses(operation),
    }
    says = [operation.description] if operation.description else []
    if operation.scope is not None:
        says.append(f"Needs the scope `{operation.scope}`.")
    described["description"] = "\n\n".join(says)
    if operation.request is not None:
        required = any(it.is_required() for it in operation.request.model_fields.values())
        described["requestBody"] = {
            "required": required,
            "content": {
                media_type: _taken(operation, media_type)
                for media_type in (operation.takes, *operation.takes_also)
            },
        }
    return described


def _taken(operation: Operation, media_type: str) -> dict[str, Any]:
    """One, many, or as plain JSON either, where an operation takes many at once."""
    assert operation.request is not None, "asked of those that take something"
    content = _content(operation.request, media_type)
    if operation.takes.endswith(_MANY) and media_type.endswith("json"):
        one, many = content["schema"], {"type": "array", "items": content["schema"]}
        if media_type == JSON:
            return {"schema": {"anyOf": [one, many]}}
        return {"schema": many if media_type.endswith(_MANY) else one}
    return content


def _content(model: type[BaseModel], media_type: str) -> dict[str, Any]:
    """A stream of lines is described by one of its lines."""
    reference = {"$ref": _REF.format(model=model.__name__)}
    if media_type == NDJSON:
        return {"schema": {"type": "string"}, "x-line-schema": reference}
    return {"schema": reference}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    properties: Mapping[str, Mapping[str, Any]] = query.model_json_schema().get("properties", {})
    parameters = []
    for name, schema in properties.items():
        shape = {key: value for key, value in schema.items() if key not in ("title", "description")}
        parameter: dict[str, Any] = {"name": name, "in": "query", "schema": shape}
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameters.append(parameter)
    return parameters


def _header_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.key == "none":
        return []
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": operation.key == "required",
            "description": "A new one for each thing you want done; the same for each try of it.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done." if operation.build else "The answer."}
    if operation.response is not None:
        answer["content"] = {operation.gives: _content(operation.response, operation.gives)}
    else:
        answer["content"] = {it: {} for it in (operation.gives, *operation.gives_also)}
    if operation.build is not None:
        answer["headers"] = {
            "X-Ledger-Position": {
                "description": "Give it as `min_position` to read what this wrote.",
                "schema": {"type": "string"},
            },
            "Idempotent-Replayed": {
                "description": "`true` when this was done before.",
                "schema": {"type": "string"},
            },
        }
    return {str(operation.status): answer, "default": _PROBLEM}


_PROBLEM: Final = {
    "description": "A problem (RFC 9457); `code` says which.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}},
}


def _open_paths() -> dict[str, Any]:
    """What needs no key."""
    return {
        "/health/live": _open("get_live", "Whether the process lives", JSON),
        "/health/ready": _open("get_ready", "Whether every role is up; 503 until then", JSON),
        "/metrics": _open("get_metrics", "Counters, for Prometheus", "text/plain"),
        "/openapi.json": _open("get_openapi", "This document", JSON),
    }


def _open(name: str, summary: str, media_type: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "tags": ["operation"],
            "summary": summary,
            "security": [],
            "responses": {"200": {"description": "The answer.", "content": {media_type: {}}}},
        }
    }
