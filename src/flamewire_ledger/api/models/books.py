"""The books as they are answered: balances, entries, the trial balance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AsOf, Identifier, Limit, Page, Reference, Symbol, View


class AccountBalance(View):
    """`balance` is what the account has on its usual side: debit for assets and for
    where credits are, credit for others."""

    id: str = Field(description="`account|asset_code`, for paging.")
    object: Literal["balance"]
    account: str
    asset: str
    asset_code: str
    asset_id: str | None
    normal_side: Literal["debit", "credit"]
    debits: str
    debits_minor: str
    credits: str
    credits_minor: str
    balance: str
    balance_minor: str


class Balances(View):
    object: Literal["list"]
    data: list[AccountBalance]
    has_more: bool
    as_of: int | None


class LedgerEntry(View):
    """One posting: so much of an asset from the account it credits to the account it debits."""

    id: str
    object: Literal["ledger_entry"]
    debit: str
    credit: str
    asset: str
    asset_code: str
    amount: str
    amount_minor: str
    stream_id: str
    event_type: str
    line: int
    recorded_at: str
    position: int


class LedgerEntries(View):
    object: Literal["list"]
    data: list[LedgerEntry]
    has_more: bool


class TrialBalanceLine(View):
    asset: str
    asset_code: str
    debits: str
    debits_minor: str
    credits: str
    credits_minor: str
    is_balanced: bool


class TrialBalance(View):
    object: Literal["trial_balance"]
    is_balanced: bool
    lines: list[TrialBalanceLine]
    as_of: int | None


class ListBalances(AsOf):
    limit: Limit = 100
    starting_after: Reference | None = Field(
        default=None, description="The id of the last one you have: what follows it."
    )
    ending_before: Reference | None = Field(
        default=None, description="The id of the first one you have: what comes before it."
    )
    account: Reference | None = Field(
        default=None, description="Only accounts whose names begin so."
    )


class ListLedgerEntries(Page):
    account: Reference | None = None
    asset: Symbol | None = Field(default=None, description="An asset code: `ethereum:USDC`.")
    stream_id: Identifier | None = None
    as_of: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="A position, or an RFC 3339 time."
    )
