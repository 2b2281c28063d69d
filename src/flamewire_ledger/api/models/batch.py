"""The lines of a batch, in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field

from flamewire_ledger.api.fields import Body, View


class Line(Body):
    """One command. `params` is the body of its single request, with the ids of its path by name."""

    id: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description="The idempotency key of this line."
    )
    command: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        examples=["consume_credits"]
    )
    params: dict[str, Any] = Field(
        default_factory=dict, examples=[{"credit_account_id": "ca_…", "amount": "0.25"}]
    )


class PlainLine(msgspec.Struct, forbid_unknown_fields=True):
    """A Line as it is read in one step, when nothing is wrong with it. What is no PlainLine is read
    as a Line, which says why it is none.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    command: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    params: dict[str, Any] = msgspec.field(default_factory=dict)


class LineError(View):
    pointer: str
    detail: str


class LineAnswer(View):
    """What became of the line with this id. `conflict`: nothing was done, send it again.

    A refusal may say more beside its code, as its problem document would.
    """

    model_config = ConfigDict(extra="allow")

    id: str | None
    status: Literal["ok", "rejected", "conflict"]
    position: int | None
    code: str | None
    result: dict[str, Any] | None
    replayed: bool | None = None
    detail: str | None = None
    errors: list[LineError] | None = None
