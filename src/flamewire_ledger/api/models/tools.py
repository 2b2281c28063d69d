"""Tools: what a text can be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, View


class DetectValue(Body):
    value: str = Field(min_length=1, description="An address, a transaction id or a payment URI.")


class CandidateView(View):
    type: Literal["address", "transaction_id", "payment_uri"]
    network: str
    chain_id: str | None = Field(description="CAIP-2; null when the text leaves it open.")
    canonical: str = Field(description="The one spelling of it.")
    reason: str


class DetectionView(View):
    object: Literal["detection"]
    ambiguous: bool = Field(description="Whether there is more than one candidate.")
    reason: str = Field(description="What it is, or why it is nothing or several things.")
    candidates: list[CandidateView]
