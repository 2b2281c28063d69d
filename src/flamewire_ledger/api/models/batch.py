"""The lines of a batch, in and out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
