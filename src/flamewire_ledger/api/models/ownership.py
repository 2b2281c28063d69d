"""Proof of ownership: what is asked for, the challenge, and the address that it registers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from flamewire_ledger.api.fields import Body, Identifier, Page, Symbol, View
from flamewire_ledger.domain.ownership import Kind, Purpose

Standing = Literal["registered", "replaced", "revoked"]


class CreateOwnershipChallenge(Body):
    """An address that somebody says is theirs, and what it is for."""

    network: Symbol = Field(examples=["bittensor"], description="An alias or a CAIP-2 id.")
    address: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="The payer's; CAIP-10 will do."
    )
    purpose: Purpose = Field(
        description="`refund`: where to send what is paid back. `sender`: whose what it sends is."
    )
    payment_intent_id: Identifier | None = None
    credit_account_id: Identifier | None = Field(
        default=None, description="Give this or a payment intent, not both."
    )
    kind: Kind = Field(
        default="personal_message",
        description="How the message will be signed. On Substrate `personal_message` is between "
        "<Bytes> and </Bytes>, as wallets in a browser do it, and `message` as it is; the other one is "
        "then refused. Elsewhere both are the same.",
    )

    @model_validator(mode="after")
    def _one_subject(self) -> CreateOwnershipChallenge:
        if (self.payment_intent_id is None) == (self.credit_account_id is None):
            raise PydanticCustomError(
                "malformed", "give one of payment_intent_id and credit_account_id"
            )
        return self


class OwnershipChallengeView(View):
    id: str
    object: Literal["ownership_challenge"]
    livemode: bool
    purpose: Purpose
    payment_intent_id: str | None
    credit_account_id: str | None
    network: str
    chain_id: str = Field(description="CAIP-2")
    address: str
    account: str = Field(description="CAIP-10")
    kind: Kind
    message: str = Field(description="The text to sign, to the letter, as UTF-8.")
    created_at: datetime
    expires_at: datetime
    position: int


class ProveOwnership(Body):
    signature: str = Field(
        description="Of the challenge's message: 0x and hexadecimal digits; base64 on Sui."
    )
    scheme: Symbol | None = Field(
        default=None,
        description="As at /v1/signatures/verify. For `eip1271` and `safe` the contract is asked.",
    )


class RegisteredAddress(View):
    id: str = Field(description="That of the challenge.")
    object: Literal["registered_address"]
    livemode: bool
    status: Standing = Field(
        description="`replaced`: a newer one was registered; of refund addresses one counts for each "
        "network. It does not come back when the newer one is revoked."
    )
    purpose: Purpose
    payment_intent_id: str | None
    credit_account_id: str | None
    network: str
    chain_id: str = Field(description="CAIP-2")
    address: str
    account: str = Field(description="CAIP-10")
    scheme: str = Field(description="Which the proof was of.")
    registered_at: datetime
    revoked_at: datetime | None
    position: int


class RegisteredAddresses(View):
    object: Literal["list"]
    data: list[RegisteredAddress]
    has_more: bool


class ListRegisteredAddresses(Page):
    purpose: Purpose | None = None
    status: Standing | None = None
    payment_intent_id: Identifier | None = None
    credit_account_id: Identifier | None = None
    network: Symbol | None = Field(default=None, description="An alias or a CAIP-2 id.")
    address: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        default=None, description="With `network`."
    )
