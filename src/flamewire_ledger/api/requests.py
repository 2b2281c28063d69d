"""Reading a request: its body within bounds, as JSON and nothing else, and its query without
surprises.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from flamewire_ledger.api import problems
from flamewire_ledger.api.parts import Limits

Model = TypeVar("Model", bound=BaseModel)
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHARSETS: Final = frozenset({"utf-8", "utf8"})


async def read_bytes(sent: Mapping[bytes, bytes], receive: Receive, limits: Limits) -> bytes:
    """The whole body, or a 413: as soon as it is announced, and else as soon as it is too long."""
    announced = sent.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > limits.body_bytes_max:
        raise problems.body_too_large(limits.body_bytes_max)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limits.body_bytes_max:
            raise problems.body_too_large(limits.body_bytes_max)
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def check_media_type(sent: Mapping[bytes, bytes], wanted: str, *others: str) -> None:
    """Raises a 415 for another media type, another character set than UTF-8, or compression."""
    media_type, _, parameters = _text(sent, b"content-type").partition(";")
    if media_type != wanted and media_type.strip().lower() not in (wanted, *others):
        raise problems.unsupported_media_type(wanted)
    name, _, value = parameters.strip().partition("=")
    if name.lower() == "charset" and value.strip('"').lower() not in _CHARSETS:
        raise problems.unsupported_media_type(f"{wanted}; charset=utf-8")
    if sent.get(b"content-encoding", b"identity").lower() != b"identity":
        raise problems.unsupported_media_type(f"{wanted}, not compressed")


def _text(sent: Mapping[bytes, bytes], name: bytes) -> str:
    return sent.get(name, b"").decode("latin-1")


def parse_json(data: bytes, limits: Limits) -> dict[str, Any]:
    """The object in the body; a 400 where there is none, which repeats nothing of what was sent, and a
    422 where there is more in it than anybody has to say.
    """
    try:
        parsed = _decoded(data, limits)
    except RecursionError:
        raise problems.malformed_json("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise problems.malformed_json(f"the body is not JSON: {_reason(error)}") from None
    if not isinstance(parsed, dict):
        raise problems.malformed_json("the body is a JSON object")
    if len(parsed) > limits.json_fields_max:
        raise _too_much(limits)
    if may_be_deep(data, limits) and _deeper_than(parsed, limits.json_depth_max):
        raise problems.malformed_json("the body is nested too deeply")
    return parsed


def _decoded(data: bytes, limits: Limits) -> Any:
    """A long text is read in no time, but a megabyte of brackets takes a tenth of a second: of values
    there is a limit, which is told before they are made.
    """
    if _values_in(data) <= limits.json_values_max:
        return msgspec.json.decode(data)
    # Inside a text no quotation mark stands alone, so these begin and end texts and keys.
    if data.count(b'"') - data.count(b'\\"') > 4 * limits.json_values_max:
        raise _too_much(limits)
    try:
        fields = _fields.decode(data)
    except msgspec.ValidationError:
        return None  # it is JSON, and no object
    nested = [value for value in map(bytes, fields.values()) if value[:1] in (b"[", b"{")]
    if (
        len(fields) > limits.json_fields_max
        or _values_in(b"".join(nested)) > limits.json_values_max
    ):
        raise _too_much(limits)
    return {name: msgspec.json.decode(value) for name, value in fields.items()}


def _values_in(data: bytes) -> int:
    """How many values are there at most."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _too_much(limits: Limits) -> problems.Problem:
    return problems.too_much_json(
        f"a body has at most {limits.json_fields_max} fields, and {limits.json_values_max} values "
        "in lists and objects"
    )


def may_be_deep(data: bytes, limits: Limits) -> bool:
    """What has few brackets is not too deep: that is seen at once, and true of nearly everything."""
    return data.count(b"{") + data.count(b"[") > limits.json_depth_max


def validate(model: type[Model], value: Any) -> Model:
    try:
        # As model_validate does, without the 0.7 µs it spends on options nobody gave.
        return cast("Model", model.__pydantic_validator__.validate_python(value))
    except ValidationError as error:
        raise problems.of_validation(error) from None


def validate_query(model: type[Model], sent: bytes) -> Model:
    """Each parameter once, and known: a filter that is ignored answers another question."""
    return _query(model, sent) if sent else _nothing_asked(model)


@cache
def _nothing_asked(model: type[Model]) -> Model:
    """Queries are frozen, so the one of all defaults is made once."""
    return _query(model, b"")


def _query(model: type[Model], sent: bytes) -> Model:
    given: dict[str, str] = {}
    for name, value in QueryParams(sent).multi_items():
        if name in given:
            raise problems.wrong_parameter(name[:64], "give it once")
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise problems.of_validation(error, of_query=True) from None


def _reason(error: Exception) -> str:
    return str(error)[:120] if isinstance(error, msgspec.DecodeError) else "it is not UTF-8"


def _deeper_than(value: Any, depth_max: int) -> bool:
    level = [value]
    for _ in range(depth_max):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
