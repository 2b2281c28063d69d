"""API keys as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Fresh, Identifier, Limit, Name, Symbol, View


class CreateApiKeyBody(Body):
    name: Name
    scopes: Annotated[list[Symbol], Field(min_length=1, max_length=32)] = Field(
        examples=[["payments:write", "credits:read"]],
        description="None that the key which makes it does not have itself.",
    )


class ApiKeyView(View):
    id: str
    object: Literal["api_key"]
    name: str
    livemode: bool
    scopes: list[str]
    ends_in: str
    created_at: datetime
    revoked_at: datetime | None


class ApiKeyChanged(ApiKeyView):
    position: int


class ApiKeyMade(ApiKeyChanged):
    secret: str | None = Field(
        description="Shown once, and kept nowhere: null when the request is repeated."
    )


class ApiKeys(View):
    object: Literal["list"]
    data: list[ApiKeyView]
    has_more: bool


class ListApiKeys(Fresh):
    limit: Limit = 100
    starting_after: Identifier | None = Field(
        default=None, description="The id of the last one you have; the oldest come first."
    )
