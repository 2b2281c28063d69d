"""Every answer in these tests is held against the OpenAPI document: shape, status, media type."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from flamewire_ledger.api.event_schemas import schemas
from flamewire_ledger.api.openapi import document
from flamewire_ledger.store.codec import event_classes


async def check(response: httpx.Response) -> None:
    """A hook of the client: AssertionError when an answer is not as the document says."""
    await response.aread()
    assert response.headers["x-request-id"]
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if response.status_code >= 400 and response.request.url.path != "/health/ready":
        assert media_type == "application/problem+json", response.text
        body = response.json()
        validator("ProblemDocument").validate(body)
        assert body["status"] == response.status_code
        assert body["request_id"] == response.headers["x-request-id"]
        return
    described = operation(response.request.method, response.request.url.path)
    if described is None or "operation" in described["tags"]:
        return
    answer = described["responses"][str(response.status_code)]
    content = answer["content"][media_type]
    if media_type == "application/x-ndjson":
        for line in response.text.split("\n")[:-1]:  # a text may hold U+0085
            validator(name_of(content["x-line-schema"])).validate(json.loads(line))
    elif "schema" in content:
        validator(name_of(content["schema"])).validate(response.json())


def check_event(event_type: str, data: bytes) -> None:
    """AssertionError's cousin when an event is not as its published schema says."""
    event_validator(event_type).validate(json.loads(data))


@cache
def event_validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schemas(event_classes())[event_type])


@cache
def openapi() -> dict[str, Any]:
    return json.loads(json.dumps(document()))


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation a request is of; the literal paths before those with parameters."""
    for template in sorted(openapi()["paths"], key=lambda it: it.count("{")):
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        by_method = openapi()["paths"][template]
        if re.fullmatch(pattern, path) and method.lower() in by_method:
            return by_method[method.lower()]
    return None


def name_of(schema: dict[str, str]) -> str:
    return schema["$ref"].rpartition("/")[2]


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": openapi()["components"]}
    )
