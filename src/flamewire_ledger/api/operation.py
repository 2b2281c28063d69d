"""An operation: one line of the contract, from which its route and its part of the OpenAPI document
are made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import BaseModel

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.fields import Query
from flamewire_ledger.api.submitting import Build, submit

Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
Unwrap: TypeAlias = Callable[[Mapping[bytes, bytes], bytes], bytes]
JSON = "application/json"
NDJSON = "application/x-ndjson"
PDF = "application/pdf"
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Operation:
    """A query has a handler; a command has `build`, and by that its place in a batch under `name`.

    `key`: whether an Idempotency-Key is required, may be sent, or means nothing.
    """

    name: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    scope: str | None  # None: any key will do
    handler: Handler | None = None
    build: Build | None = None
    response: type[BaseModel] | None = None  # None: not JSON
    request: type[BaseModel] | None = None
    query: type[BaseModel] = Query
    status: int = 200
    key: Literal["required", "optional", "none"] = "none"
    takes: str = JSON
    takes_also: tuple[str, ...] = ()  # media types of the same bytes
    unwrap: Unwrap | None = None  # where headers say a part of what is sent: the whole as a body
    gives: str = JSON
    gives_also: tuple[str, ...] = ()  # which of them, the request says
    body_bytes_max: int | None = None  # where it is not that of every request
    description: str = ""

    @property
    def tag(self) -> str:
        """The resource it belongs to: the first word of its path behind the version."""
        return self.path.removeprefix("/v1/").partition("/")[0]

    async def answer(self, call: Call) -> Answer:
        if self.build is not None:
            return await submit(call, self.build)
        assert self.handler is not None, f"{self.name} does something"
        return await self.handler(call)
