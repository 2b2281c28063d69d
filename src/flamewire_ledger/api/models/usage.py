"""Meters, items of usage, and what they add up to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from flamewire_ledger.api.fields import Body, Fresh, Identifier, Name, Page, Time, View, is_clean
from flamewire_ledger.commands.metering import TEXT_MAX
from flamewire_ledger.domain.meter import Aggregation, OnInsufficient
from flamewire_ledger.domain.usage import Bound, Period


def _clean(value: str) -> str:
    if not is_clean(value):
        raise ValueError("text has no control characters")
    return value


Key = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_clean)]
ItemText = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
Number = Annotated[
    str, Field(max_length=81, pattern=r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", examples=["1000"])
]
Granularity = Literal["hour", "day", "month", "none"]


class PropertyFilterBody(Body):
    key: Key
    values: Annotated[list[Key], Field(min_length=1, max_length=100)]


class CreateMeter(Body):
    """What counts, and how it is added up. It never changes; archive it, and define another."""

    name: Name
    event_type: Key = Field(description="The `type` of the CloudEvents it counts.")
    aggregation: Aggregation
    value_key: Key | None = Field(
        default=None, description="The property of `data` that is the value; none for `count`."
    )
    filters: list[PropertyFilterBody] = Field(default_factory=list, max_length=10)
    group_by: list[Key] = Field(default_factory=list, max_length=5)
    credit_price: dict[str, Any] | None = Field(
        default=None,
        description="Usage burns credits of its account as it comes, at a `standard`, `graduated`, "
        "`package` or `percentage` price in credits. Tiers and packages are of what the account used "
        "in the month.",
        examples=[{"model": "standard", "unit_price": "0.5"}],
    )
    on_insufficient: OnInsufficient = Field(
        default="reject",
        description="When there are not enough credits: refuse the items; go into the account's "
        "overage, and refuse what is beyond it; or record them, and what is missing as unpaid.",
    )


class PropertyFilterView(View):
    key: str
    values: list[str]


class MeterView(View):
    id: str
    object: Literal["meter"]
    livemode: bool
    name: str
    event_type: str
    aggregation: Aggregation
    value_key: str | None
    filters: list[PropertyFilterView]
    group_by: list[str]
    credit_price: dict[str, Any] | None
    on_insufficient: OnInsufficient
    status: Literal["active", "archived"]
    created_at: str
    archived_at: str | None
    position: int


class MetersView(View):
    object: Literal["list"]
    data: list[MeterView]
    has_more: bool


class ListMeters(Page):
    """Meters, newest first."""


class UsageItem(Body):
    """A CloudEvents 1.0 object; several of them in an array, or a line each. Attributes that are not
    named here are kept, and mean nothing."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: ItemText = Field(description="With `source`: what makes it count once.")
    source: ItemText
    type: ItemText
    subject: ItemText = Field(description="The credit account: its id or its external_id.")
    time: Time = Field(description="When it happened.")
    data: dict[str, Any] = Field(default_factory=dict)


class RejectedItem(View):
    code: str = Field(
        description="malformed, unknown_meter, unknown_subject, ambiguous_subject, bad_value, "
        "in_the_future, too_old, insufficient_credits, limit_reached, id_reused, "
        "not_recorded_yet, given_up"
    )
    detail: str


class UsageTaken(View):
    """What became of each item, in the order sent."""

    object: Literal["usage_batch"]
    accepted: int
    duplicates: int
    rejected: int
    items: list[Literal["accepted", "duplicate"] | RejectedItem]
    position: int | None


class UsageProof(View):
    """Hash the item as it was sent (SHA-256 of 0x00 and its bytes), then along the path: that is the
    root in the event at the position (RFC 9162, section 2.1.3.2).
    """

    object: Literal["usage_proof"]
    source: str
    id: str
    credit_account_id: str
    item: str = Field(description="The bytes as they were sent.")
    leaf: str
    index: int
    leaves: int
    path: list[str]
    root: str
    position: int
    batch_id: str
    bundle: int


class FindUsageProof(Fresh):
    source: ItemText
    id: ItemText


class GetUsage(Fresh):
    account: Identifier = Field(description="The credit account's id.")
    meter: Identifier | None = None
    from_: Time | None = Field(
        default=None, alias="from", description="By default the month's start."
    )
    to: Time | None = Field(default=None, description="By default the next hour.")
    group_by: Annotated[str, Field(max_length=700), AfterValidator(_clean)] | None = Field(
        default=None, description="Keys, with commas between."
    )
    granularity: Granularity = "day"
    late_from: Time | None = Field(
        default=None,
        description="Usage recorded from this hour on is told apart as late; by default what was "
        "recorded after `to`.",
    )
    recorded_from: Time | None = Field(
        default=None, description="Only what was recorded from then on."
    )
    recorded_to: Time | None = Field(default=None, description="Only what was recorded before.")


class UsageLine(View):
    meter_id: str
    aggregation: Aggregation
    period_start: str
    group: dict[str, str]
    items: int
    quantity: str
    late_items: int = Field(description="Recorded after the period was closed.")
    late_quantity: str | None = Field(description="Of `quantity`; null where parts do not add up.")


class UsageReport(View):
    object: Literal["usage"]
    credit_account_id: str
    from_: str = Field(alias="from")
    to: str
    granularity: Granularity
    data: list[UsageLine]
    has_more: bool


class SetLimitBody(Body):
    meter_id: Identifier
    period: Period
    soft: Number | None = Field(default=None, description="Said, and let through.")
    hard: Number | None = Field(default=None, description="Items beyond it are refused.")


class RemoveLimitBody(Body):
    meter_id: Identifier
    period: Period


class LimitView(View):
    object: Literal["usage_limit"]
    credit_account_id: str
    meter_id: str
    period: Period
    soft: str | None
    hard: str | None
    position: int | None


class LimitRow(View):
    object: Literal["usage_limit"]
    meter_id: str
    period: Period
    soft: str | None
    hard: str | None
    set_at: str


class ThresholdRow(View):
    meter_id: str
    period: Period
    period_start: str
    bound: Bound
    percent: int
    limit: str
    used: str
    reached_at: str
    position: int


class LimitsView(View):
    object: Literal["usage_limits"]
    credit_account_id: str
    data: list[LimitRow]
    thresholds: list[ThresholdRow] = Field(description="What was reached lately, the latest first.")
