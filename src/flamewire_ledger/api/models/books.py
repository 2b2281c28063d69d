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


class AccountValuation(View):
    """Balances and values have debits positive. `unvalued`: for it no price is recorded."""

    account: str
    asset: str
    asset_code: str
    balance: str
    balance_minor: str
    unvalued: str
    unvalued_minor: str
    value_debits: str
    value_debits_minor: str
    value_credits: str
    value_credits_minor: str
    value: str
    value_minor: str


class Valuation(View):
    """The books in one currency, by recorded prices; credits, which have no value, left out."""

    currency: str
    is_balanced: bool
    is_partial: bool
    debits: str
    debits_minor: str
    credits: str
    credits_minor: str
    realised_gains: str
    realised_gains_minor: str
    accounts: list[AccountValuation]
    valued_at: str


class TrialBalance(View):
    object: Literal["trial_balance"]
    is_balanced: bool
    lines: list[TrialBalanceLine]
    valuation: Valuation | None
    as_of: int | None


class GetTrialBalance(AsOf):
    valuation: Symbol | None = Field(
        default=None, description="An ISO 4217 code: the same by value, by recorded prices."
    )


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
