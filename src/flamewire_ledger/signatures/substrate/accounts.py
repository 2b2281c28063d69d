"""The three schemes of Substrate's MultiSignature. The account is the key itself; of ECDSA, its hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flamewire_ledger.signatures.curves import ed25519, secp256k1, sr25519
from flamewire_ledger.signatures.scheme import Claim, Invalid, Kind, Reason, Scheme
from flamewire_ledger.signatures.substrate.payload import (
    ECDSA_TAG,
    ED25519_TAG,
    SR25519_TAG,
    blake2b_256,
    untagged,
    verify_payload,
)
from flamewire_ledger.signatures.text import read_hex


class Sr25519Account:
    """The scheme `sr25519`: what wallets use unless told otherwise."""

    async def verify(self, claim: Claim) -> None:
        signature = untagged(claim.signature, SR25519_TAG, 64)
        verify_payload(claim, lambda payload: sr25519.verify(claim.account, payload, signature))


class Ed25519Account:
    """The scheme `ed25519`."""

    async def verify(self, claim: Claim) -> None:
        signature = untagged(claim.signature, ED25519_TAG, 64)
        verify_payload(claim, lambda payload: ed25519.verify(claim.account, payload, signature))


class EcdsaAccount:
    """The scheme `ecdsa`: r ‖ s ‖ v over blake2b-256; the account is blake2b-256 of the key."""

    async def verify(self, claim: Claim) -> None:
        signature = untagged(claim.signature, ECDSA_TAG, 65)
        if signature[64] > 1:
            raise Invalid(Reason.RECOVERY_ID_INVALID)
        verify_payload(claim, lambda payload: _verify_ecdsa(claim.account, payload, signature))


def _verify_ecdsa(account: bytes, payload: bytes, signature: bytes) -> None:
    key = secp256k1.recover(blake2b_256(payload), signature[:64], signature[64])
    if blake2b_256(key.format()) != account:
        raise Invalid(Reason.SIGNER_DIFFERS)


_BY_TAG: Final = {
    (ED25519_TAG, 65): "ed25519",
    (SR25519_TAG, 65): "sr25519",
    (ECDSA_TAG, 66): "ecdsa",
}


class SubstrateFamily:
    """The schemes of Substrate chains."""

    def __init__(self) -> None:
        self.schemes: Mapping[str, Scheme] = {
            "sr25519": Sr25519Account(),
            "ed25519": Ed25519Account(),
            "ecdsa": EcdsaAccount(),
        }

    def read_signature(self, text: str, kind: Kind) -> bytes:
        try:
            return read_hex(text)
        except ValueError:
            raise Invalid(Reason.SIGNATURE_MALFORMED) from None

    def scheme_of(self, signature: bytes) -> str:
        """By the tag of a MultiSignature; without one, by how its last byte has to look.

        sr25519 is marked in a bit that Ed25519 leaves free, and ECDSA ends in 0 or 1. What may be both
        Ed25519 with a tag and ECDSA without one, as one in 256 of the latter, is taken for the former.
        """
        length = len(signature)
        if length not in (64, 65, 66):
            raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
        if length == 64:
            return "sr25519" if signature[-1] & sr25519.MARKER else "ed25519"
        found = _BY_TAG.get((signature[0], length))
        if found != "ed25519" and length == 65 and signature[-1] <= 1:
            return "ecdsa"
        if found is None:
            raise Invalid(Reason.SCHEME_UNSUPPORTED)
        return found
