"""Signatures: what is claimed, and the verdict."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from flamewire_ledger.api.fields import Body, Symbol, View
from flamewire_ledger.signatures.scheme import MEMBERS_MAX, Reason

_REASONS = "\n".join(f"* `{reason.value}`: {reason.sentence}" for reason in Reason)


def _one_of_both(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One sentence at the field, where pydantic has one for each type, at places that are not there."""
    try:
        return read(value)
    except ValidationError:
        raise PydanticCustomError("malformed", "it is text, or typed data as an object") from None


TextOrTypedData = Annotated[str | dict[str, Any], WrapValidator(_one_of_both)]


class WalletOwners(Body):
    """The owners of a Safe wallet, for scheme `safe`."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MEMBERS_MAX)]
    threshold: int = Field(ge=1, le=MEMBERS_MAX, description="How many of them have to sign.")


class VerifySignature(Body):
    network: Symbol = Field(
        examples=["ethereum"],
        description="An alias or a CAIP-2 id. With a CAIP-2 id, what is signed for another chain "
        "is refused.",
    )
    address: str = Field(description="Who is said to have signed; CAIP-10 will do.")
    kind: Literal["message", "personal_message", "typed_data", "transaction"] = Field(
        description="What was signed. On Substrate `message` is signed as it is and "
        "`personal_message` between <Bytes> and </Bytes>; on Ethereum both are EIP-191, on Sui "
        "both have the intent of a personal message."
    )
    message: TextOrTypedData | None = Field(
        default=None, description="Text, as UTF-8; or typed data (EIP-712), also as an object."
    )
    message_hex: str | None = Field(default=None, description="The bytes, with 0x before them.")
    message_base64: str | None = None
    signature: str = Field(
        default="",
        description="0x and hexadecimal digits; base64 on Sui. A signed Ethereum transaction "
        "brings its own.",
    )
    scheme: Symbol | None = Field(
        default=None,
        description="ethereum: secp256k1, eip1271 (a contract is asked), safe. bittensor: sr25519, "
        "ed25519, ecdsa. sui: ed25519, secp256k1, secp256r1, multisig. By default what the "
        "signature says; without that, the first.",
    )
    owners: WalletOwners | None = Field(
        default=None, description="For scheme `safe`; without them the contract is asked."
    )

    @model_validator(mode="after")
    def _one_message(self) -> VerifySignature:
        given = (self.message, self.message_hex, self.message_base64)
        if sum(one is not None for one in given) != 1:
            raise PydanticCustomError(
                "malformed", "give one of message, message_hex and message_base64"
            )
        return self


class SignatureVerdict(View):
    valid: bool
    reason: Reason | None = Field(description=f"null exactly when it is valid.\n\n{_REASONS}")
    scheme: str | None = Field(description="Which it is of; null when that cannot be told.")
