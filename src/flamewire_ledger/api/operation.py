"""An operation: one line of the contract, from which its route and its part of the OpenAPI document
are made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import BaseModel

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.fields import Query

Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
JSON = "application/json"
NDJSON = "application/x-ndjson"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Operation:
    """`key`: whether an Idempotency-Key is required, may be sent, or means nothing. `command`: its
    name in a batch.
    """

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Handler
    summary: str
    scope: str
    response: type[BaseModel] | None = None  # None: not JSON
    request: type[BaseModel] | None = None
    query: type[BaseModel] = Query
    status: int = 200
    key: Literal["required", "optional", "none"] = "none"
    command: str | None = None
    takes: str = JSON
    gives: str = JSON
    description: str = ""

    @property
    def tag(self) -> str:
        """The resource it belongs to: the first word of its path behind the version."""
        return self.path.removeprefix("/v1/").partition("/")[0]

    @property
    def is_command(self) -> bool:
        return self.method != "GET"
