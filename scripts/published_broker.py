"""What passes over RabbitMQ, as an AsyncAPI 3.0 document and the schema of one line of a message."""

from __future__ import annotations

from typing import Any

from flamewire_ledger.api.event_schemas import DRAFT
from flamewire_ledger.relay.message import BODY_BYTES_MAX, CONTENT_TYPE, EVENTS_MAX
from flamewire_ledger.relay.topology import GROUPS, Names, routing_key

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_INDEX = {"type": "integer", "minimum": 0}


def envelope(event_types: list[str]) -> dict[str, Any]:
    """One event as it travels: a line of a message, and what is around `data` everywhere."""
    return {
        "$schema": DRAFT,
        "$id": "flamewire:events/envelope",
        "title": "Envelope",
        "description": "An event with its place in the log. The shape of `data` is that of `type`.",
        "type": "object",
        "properties": {
            "position": {**_COUNT, "description": "1, 2, 3 … in its partition, without a gap."},
            "partition": _INDEX,
            "stream_id": _TEXT,
            "version": {**_COUNT, "description": "1, 2, 3 … in its stream, without a gap."},
            "type": {"enum": event_types},
            "data": {"type": "object"},
            "metadata": {
                "type": "object",
                "description": "Who did it and why; there may be more than is listed.",
                "properties": {
                    "merchant_id": _TEXT,
                    "command_id": {"type": "string", "format": "uuid"},
                    "recorded_at": {"type": "string", "format": "date-time"},
                    "causation_id": {"type": ["string", "null"]},
                    "correlation_id": {"type": ["string", "null"]},
                    "actor": {"type": ["string", "null"]},
                },
                "required": ["merchant_id", "command_id", "recorded_at"],
            },
        },
        "required": [
            "position", "partition", "stream_id", "version", "type", "data", "metadata",
        ],
    }  # fmt: skip


def asyncapi(version: str) -> dict[str, Any]:
    """The exchange, the queues of partition 0, and the message; the same each time."""
    names = Names()
    first = 0  # other partitions differ in this number only
    channels: dict[str, Any] = {
        "events": {
            "address": routing_key(first),
            "description": "Committed events of a partition, in order, at least once.",
            "messages": {"events": {"$ref": "#/components/messages/events"}},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": names.exchange, "type": "direct", "durable": True},
                }
            },
        }
    }
    for group in GROUPS:
        channels[group] = _queue(names.queue(group, first), dict(names.queue_arguments()))
    channels["parked"] = _queue(names.parked, dict(names.parked_arguments()))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "FlameWire Ledger: events",
            "version": version,
            "license": {"name": "Apache-2.0"},
            "description": "A message is a bell with the news inside; the store is the truth.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": {
            "relay": {"action": "send", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {"messages": {"events": _message()}},
    }


def _queue(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": name,
        "messages": {"events": {"$ref": "#/components/messages/events"}},
        "bindings": {"amqp": {"is": "queue", "queue": {"name": name, "durable": True}}},
        "x-arguments": arguments,
    }


def _message() -> dict[str, Any]:
    return {
        "contentType": CONTENT_TYPE,
        "summary": f"One to {EVENTS_MAX} events as JSON lines, {BODY_BYTES_MAX} bytes at most.",
        "description": "An empty body says: the events first…last are in the store.",
        "headers": {
            "type": "object",
            "properties": {"partition": _INDEX, "first": _COUNT, "last": _COUNT},
            "required": ["partition", "first", "last"],
        },
        "payload": {"$ref": "../events/envelope.json"},
    }
