"""What an account may use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Fresh, Identifier, View
from flamewire_ledger.api.models.usage import Key, Number
from flamewire_ledger.domain.entitlement import Kind, Period


class GrantEntitlementBody(Body):
    feature: Key
    kind: Kind = Field(
        description="`flag`: it may. `quantity`: so much of a meter in a period. `credits`: as long "
        "as there are credits."
    )
    meter_id: Identifier | None = None
    limit: Number | None = None
    period: Period | None = None


class RevokeEntitlementBody(Body):
    feature: Key


class EntitlementChanged(View):
    object: Literal["entitlement_grant"]
    credit_account_id: str
    feature: str
    source: str
    granted: bool
    position: int | None


class GetEntitlement(Fresh):
    """A check. It is answered from memory where nothing has changed."""


class EntitlementChecked(View):
    object: Literal["entitlement"]
    credit_account_id: str
    feature: str
    entitled: bool
    reason: Literal["granted", "not_granted", "limit_reached", "no_credits"]
    limit: str | None
    used: str | None
    remaining: str | None = Field(description="Of the quantity; of credits, what is available.")
    resets_at: str | None
