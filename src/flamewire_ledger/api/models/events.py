"""Events as they are shown outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from flamewire_ledger.api.fields import Fresh, Limit, Position, Reference, View


class EventMetadata(View):
    merchant_id: str
    command_id: str
    causation_id: str | None
    correlation_id: str | None
    actor: str | None
    recorded_at: datetime


class EventView(View):
    object: Literal["event"]
    position: int
    partition: int
    stream_id: str
    version: int
    type: str
    data: dict[str, Any]
    metadata: EventMetadata


class Events(View):
    object: Literal["list"]
    data: list[EventView]
    has_more: bool
    next_after: int = Field(description="Go on with `after` this position.")


class ListEvents(Fresh):
    after: Position = Field(default=0, description="Events behind this position.")
    limit: Limit = 100
    type: Reference | None = Field(
        default=None,
        description="Of this type only: `payment.succeeded.v1`, or `payment.succeeded` in any version.",
    )
