"""The catalog: every type of message, the events each tells of, and its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flamewire_ledger.domain.webhook_endpoint import is_meant
from flamewire_ledger.webhooks.credit_messages import CREDIT_KINDS
from flamewire_ledger.webhooks.endpoint_messages import ENDPOINT_KINDS, TEST
from flamewire_ledger.webhooks.invoice_messages import INVOICE_KINDS
from flamewire_ledger.webhooks.message import Kind, Message
from flamewire_ledger.webhooks.payment_messages import PAYMENT_KINDS
from flamewire_ledger.webhooks.subscription_messages import SUBSCRIPTION_KINDS

KINDS: Final[tuple[Kind, ...]] = (
    *PAYMENT_KINDS,
    *INVOICE_KINDS,
    *CREDIT_KINDS,
    *SUBSCRIPTION_KINDS,
    *ENDPOINT_KINDS,
)
KIND_OF: Final[Mapping[str, Kind]] = {event: kind for kind in KINDS for event in kind.events}
assert len(KIND_OF) == sum(len(kind.events) for kind in KINDS), "an event is told of once"
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def is_known(pattern: str) -> bool:
    """Whether an endpoint that takes this (a type, or the beginning of types and *) is ever told."""
    return any(is_meant(kind.type, pattern) for kind in KINDS)


def schemas() -> Mapping[str, dict[str, Any]]:
    """The JSON Schema of each type of message, as it is sent."""
    return {kind.type: _schema(kind) for kind in (*KINDS, TEST)}


def _schema(kind: Kind) -> dict[str, Any]:
    parts, definitions = msgspec.json.schema_components(
        [Message, kind.data], ref_template="#/$defs/{name}"
    )
    message = definitions.pop(Message.__name__)
    properties = dict(message["properties"])
    properties["event"] = properties["type"] = {"const": kind.type}
    properties["data"] = parts[1]
    return {
        "$schema": _DRAFT,
        "title": kind.type,
        "description": kind.says,
        "type": "object",
        "required": message["required"],
        "properties": properties,
        "$defs": dict(sorted(definitions.items())),
    }
