"""Playing the payer: what test keys may ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AmountText, Body, Identifier, Symbol, View

Behaviour = Literal[
    "normal",
    "late",
    "reorg",
    "reorg_before_final",
    "reorg_and_back",
    "drop",
    "wrong_asset",
    "failed",
]


class CreateTransfer(Body):
    payment_intent_id: Identifier
    network: Symbol | None = Field(default=None, description="The first of the intent by default.")
    asset: Symbol | None = Field(default=None, description="Which asset on it, such as USDC.")
    amount: AmountText | None = Field(default=None, description="What is due by default.")
    behaviour: Behaviour = Field(
        default="normal", description="`late` moves the sandbox clock past the expiry first."
    )


class SandboxTransfer(View):
    object: Literal["sandbox_transfer"]
    payment_intent_id: str
    network: str
    asset: str
    amount: str
    amount_minor: str
    address: str
    transaction_id: str
    behaviour: Behaviour
    position: int


class AdvanceClock(Body):
    advance_seconds: Annotated[int, Field(ge=1, le=315_360_000)]


class SandboxClock(View):
    object: Literal["sandbox_clock"]
    now: datetime
