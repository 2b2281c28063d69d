"""Reports and exports as they are asked for, and as reports are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from flamewire_ledger.api.fields import AsOf, Symbol, Time, View


class Valued(AsOf):
    """A report in one currency, by recorded prices."""

    valuation: Symbol | None = Field(
        default=None,
        description="An ISO 4217 code: the currency of the values. Default: that of the ledger.",
    )


class GetExport(Valued):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: Time | None = Field(
        default=None, alias="from", description="Only what happened from this RFC 3339 time on."
    )
    before: Time | None = Field(
        default=None, alias="to", description="Only what happened before this RFC 3339 time."
    )


class ChartAccount(View):
    """One account, or a family of them where the name ends in `{…}`."""

    object: Literal["account"]
    account: str
    kind: Literal["assets", "liabilities", "equity", "income", "expenses", "credits"]
    normal_side: Literal["debit", "credit"]
    meaning: str


class ChartOfAccounts(View):
    object: Literal["list"]
    data: list[ChartAccount]
    has_more: bool


class TaxMatch(View):
    """Units of a disposal that came from one lot; shaped like a line of Form 8949 and of 1099-DA."""

    description: str = Field(description="Form 8949 (a): what was disposed of.")
    date_acquired: str | None = Field(description="Form 8949 (b). None: no lot covers it.")
    date_disposed: str = Field(description="Form 8949 (c).")
    proceeds: str | None = Field(description="Form 8949 (d); None where no price is recorded.")
    cost_basis: str | None = Field(description="Form 8949 (e); None where no price is recorded.")
    gain: str | None = Field(description="Form 8949 (h).")
    term: Literal["short", "long"] | None
    asset: str
    units: str
    amount: str
    wallet: str
    kind: str = Field(description="CARF: what kind of disposal it was.")
    disposal_id: str
    lot_id: str | None


class OpenLot(View):
    lot_id: str
    asset: str
    wallet: str
    acquired_at: str
    units: str
    amount: str
    cost_basis: str | None


class TaxTotals(View):
    term: Literal["short", "long"]
    proceeds: str
    cost_basis: str
    gain: str


class TaxReport(View):
    object: Literal["tax_lots"]
    notice: str
    year: int
    method: str
    scope: str
    currency: str
    as_of: int
    disposals: list[TaxMatch]
    totals: list[TaxTotals]
    is_partial: bool = Field(description="Whether something in it has no recorded price.")
    lots: list[OpenLot] | None = Field(description="What is left, where it was asked for.")


class GetTaxLots(Valued):
    year: Annotated[int, Field(ge=2009, le=2200)] = Field(description="Of the disposals, in UTC.")
    method: Literal["fifo", "lifo", "hifo", "average", "specific"] = Field(
        default="fifo",
        description="Which lots go first; `specific`: those that a disposal named, then the oldest.",
    )
    scope: Literal["wallet", "universal"] = "wallet"
    lots: bool = Field(default=False, description="Also say which lots are left (100 000 at most).")


class GetReport(Valued):
    pass


class ReportView(View):
    """Rows of named columns; amounts are text in major units."""

    object: Literal["report"]
    report: Literal["revenue", "volumes", "funnel", "finality", "breakage", "mrr", "exceptions"]
    as_of: int = Field(description="The position; asked for with it again, the bytes are the same.")
    currency: str = Field(description="Of the values.")
    columns: list[str]
    rows: list[dict[str, str | int | None]]
