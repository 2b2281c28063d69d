"""The explanation of a balance, as it is asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AsOf, Identifier, Limit, View
from flamewire_ledger.api.models.credit_accounts import BalanceView
from flamewire_ledger.domain.credit_account import Source


class ExplainAccount(AsOf):
    grant: Identifier | None = Field(default=None, description="Only lines that touch this grant.")
    period: Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}){0,2}$")] | None = Field(
        default=None,
        description="Open a period: only lines and sums of this year, month or day (UTC).",
        examples=["2026-11"],
    )
    by: Literal["month", "day"] = Field(default="month", description="How long a period is.")
    limit: Limit = Field(default=20, description="How many lines, 100 at most.")
    starting_after: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        default=None, description="The position of the last line you have: what follows it."
    )


class Move(View):
    """What changed in one part of the balance, with its sign."""

    part: str
    amount: str
    amount_minor: str


class Term(View):
    """What events of one kind did to one part of the balance, all together."""

    kind: str
    events: int
    amount: str
    amount_minor: str


class Digit(View):
    """One number of the balance: the sum of its terms."""

    part: str
    amount: str
    amount_minor: str
    terms: list[Term]


class GrantExplained(View):
    """granted + transferred_in = available + held + burnt + settled + expired + reversed +
    transferred_out.
    """

    id: str | None = Field(description="null: all grants beyond the first 1000 together.")
    source: Source | None
    priority: int | None
    expires_at: datetime | None
    payment_intent_id: str | None
    granted: str
    transferred_in: str
    burnt: str
    settled: str = Field(description="What it gave for what the account had owed.")
    held: str
    expired: str
    reversed: str
    transferred_out: str
    available: str
    events: int
    first_position: int
    last_position: int


class PeriodExplained(View):
    """What a period changed. Ask again with it as `period` for its lines."""

    period: str
    events: int
    first_position: int
    last_position: int
    changes: list[Move]


class LineChange(View):
    grant_id: str | None = Field(description="null: no grant, such as what is owed.")
    changes: list[Move]


class LineExplained(View):
    position: int | None = Field(
        description="null: time alone has done it, and no event says so yet."
    )
    kind: str
    created_at: datetime
    reference: str | None
    hold_id: str | None
    payment_intent_id: str | None
    changes: list[Move]
    grants: list[LineChange]


class CreditExplanation(View):
    object: Literal["credit_explanation"]
    credit_account_id: str
    balance: BalanceView
    digits: list[Digit]
    grants: list[GrantExplained]
    periods: list[PeriodExplained]
    lines: list[LineExplained]
    has_more: bool
    position: int
