"""What is signed on Substrate chains, by kind, and the MultiSignature it comes in.

Wallets put <Bytes> and </Bytes> around a message, so that no message can be a transaction. Whether
a signature is of the wrapped form is for the kind to say: `personal_message` is wrapped, `message`
is as it stands, and neither stands in for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason

_OPENING: Final = b"<Bytes>"
_CLOSING: Final = b"</Bytes>"
_ETHEREUM: Final = b"\x19Ethereum Signed Message:\n"  # no transaction begins like this either
_HASHED_ABOVE_BYTES: Final = 256  # a longer transaction is signed by its hash

# How MultiSignature of sp_runtime numbers its schemes.
ED25519_TAG: Final = 0
SR25519_TAG: Final = 1
ECDSA_TAG: Final = 2


def payload_of(claim: Claim) -> bytes:
    """The bytes that are signed. Raises Invalid."""
    match claim.kind:
        case "message":
            return claim.message
        case "personal_message":
            return wrapped(claim.message)
        case "transaction":
            if len(claim.message) > _HASHED_ABOVE_BYTES:
                return blake2b_256(claim.message)
            return claim.message
        case "typed_data":
            raise Invalid(Reason.KIND_UNSUPPORTED)


def wrapped(message: bytes) -> bytes:
    """As wallets wrap it (u8aWrapBytes of polkadot-js): not again what is wrapped already, and not what
    has Ethereum's prefix.
    """
    is_wrapped = message.startswith(_OPENING) and message.endswith(_CLOSING)
    if is_wrapped or message.startswith(_ETHEREUM):
        return message
    return _OPENING + message + _CLOSING


def verify_payload(claim: Claim, verify: Callable[[bytes], None]) -> None:
    """Verify the bytes of the claim. When they are not what was signed, whether the other form was is
    told by the reason.
    """
    payload = payload_of(claim)
    try:
        verify(payload)
    except Invalid as invalid:
        reason = _other_form(claim, payload, verify)
        raise (invalid if reason is None else Invalid(reason)) from None


def _other_form(claim: Claim, payload: bytes, verify: Callable[[bytes], None]) -> Reason | None:
    match claim.kind:
        case "message":
            other, reason = wrapped(claim.message), Reason.WRAPPED_UNASKED
        case "personal_message":
            other, reason = claim.message, Reason.NOT_WRAPPED
        case _:
            return None
    if other == payload:
        return None
    try:
        verify(other)
    except Invalid:
        return None
    return reason


def untagged(signature: bytes, tag: int, length: int) -> bytes:
    """The signature without the tag of a MultiSignature, which may be there. Raises Invalid."""
    if len(signature) == length:
        return signature
    if len(signature) != length + 1:
        raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
    if signature[0] != tag:
        raise Invalid(Reason.SCHEME_DIFFERS)
    return signature[1:]


def blake2b_256(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
