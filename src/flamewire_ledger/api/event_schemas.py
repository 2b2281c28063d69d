"""JSON Schemas of the events, one a type, made from their classes: what `data` of an event holds.

A field without a value of its own is required; one that was added later, with a default, is not:
events recorded before it was there are still events of that type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec.inspect
from msgspec.inspect import (
    BoolType,
    CustomType,
    DataclassType,
    DateTimeType,
    DateType,
    DecimalType,
    DictType,
    IntType,
    ListType,
    LiteralType,
    NoneType,
    StrType,
    TupleType,
    Type,
    UnionType,
    VarTupleType,
)

from flamewire_ledger.domain.money import Amount

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Final[Mapping[type[Type], dict[str, Any]]] = {
    StrType: {"type": "string"},
    IntType: {"type": "integer"},
    BoolType: {"type": "boolean"},
    NoneType: {"type": "null"},
    DecimalType: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    DateTimeType: {"type": "string", "format": "date-time"},
    DateType: {"type": "string", "format": "date"},
}
_AMOUNT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "So many base units of an asset.",
    "required": ["asset", "decimals", "units"],
    "additionalProperties": False,
    "properties": {
        "asset": {"type": "string", "examples": ["USD", "ethereum:USDC"]},
        "decimals": {"type": "integer", "minimum": 0, "maximum": 36},
        "units": {"type": "string", "pattern": "^[0-9]{1,78}$"},
    },
}


def schemas(classes: Iterable[type[Any]]) -> Mapping[str, dict[str, Any]]:
    """The schema of each event class by its type string."""
    return {event_class.type: _document(event_class) for event_class in classes}


def _document(event_class: type[Any]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    described = msgspec.inspect.type_info(event_class)
    assert isinstance(described, DataclassType), "an event is a dataclass"
    document = {"$schema": DRAFT, "title": event_class.type, **_object(described, definitions)}
    if definitions:
        document["$defs"] = dict(sorted(definitions.items()))
    return document


def _object(described: DataclassType, definitions: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "required": [it.encode_name for it in described.fields if it.required],
        "additionalProperties": False,
        "properties": {it.encode_name: _schema(it.type, definitions) for it in described.fields},
    }
    says = described.cls.__doc__ or ""
    if says and not says.startswith(f"{described.cls.__name__}("):
        schema["description"] = " ".join(says.split())
    return schema


def _schema(described: Type, definitions: dict[str, Any]) -> dict[str, Any]:
    plain = _PLAIN.get(type(described))
    if plain is not None:
        return plain
    match described:
        case DataclassType():
            return _defined(described, definitions)
        case CustomType() if described.cls is Amount:
            definitions["Amount"] = _AMOUNT
            return {"$ref": "#/$defs/Amount"}
        case LiteralType():
            return {"enum": sorted(described.values)}
        case VarTupleType() | ListType():
            return {"type": "array", "items": _schema(described.item_type, definitions)}
        case TupleType():
            items = [_schema(it, definitions) for it in described.item_types]
            bounds = {"minItems": len(items), "maxItems": len(items)}
            return {"type": "array", "prefixItems": items, **bounds}
        case DictType():
            return {
                "type": "object",
                "additionalProperties": _schema(described.value_type, definitions),
            }
        case UnionType():
            return {"anyOf": [_schema(it, definitions) for it in described.types]}
        case _:
            raise TypeError(f"events do not hold {described!r}: say here how it looks in JSON")


def _defined(described: DataclassType, definitions: dict[str, Any]) -> dict[str, Any]:
    name = described.cls.__name__
    if name not in definitions:
        definitions[name] = {}  # a place, should it hold itself
        definitions[name] = _object(described, definitions)
    return {"$ref": f"#/$defs/{name}"}
