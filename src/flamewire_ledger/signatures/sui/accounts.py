"""Sui's serialized signatures: flag ‖ signature ‖ key, in base64. The address is the hash of flag ‖ key.

zkLogin (5), passkeys (6) and whatever comes after them are refused by name: they are not verified here.
"""

from __future__ import annotations

from collections.abc import Mapping

from flamewire_ledger.signatures.scheme import Claim, Invalid, Kind, Reason, Scheme
from flamewire_ledger.signatures.sui.intent import blake2b_256, digest_of
from flamewire_ledger.signatures.sui.keys import KEY_KINDS, MULTISIG_FLAG, SIGNATURE_BYTES, KeyKind
from flamewire_ledger.signatures.sui.multisig import MultiSig
from flamewire_ledger.signatures.text import read_base64


class KeyedAccount:
    """One of the schemes `ed25519`, `secp256k1` and `secp256r1`."""

    def __init__(self, flag: int, kind: KeyKind) -> None:
        self._flag = flag
        self._kind = kind

    async def verify(self, claim: Claim) -> None:
        signature, kind = claim.signature, self._kind
        if signature[:1] != bytes((self._flag,)):
            raise Invalid(Reason.SCHEME_DIFFERS)
        if len(signature) != 1 + SIGNATURE_BYTES + kind.key_bytes:
            raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
        key = signature[1 + SIGNATURE_BYTES :]
        if blake2b_256(signature[:1] + key) != claim.account:
            raise Invalid(Reason.SIGNER_DIFFERS)
        kind.verify(key, digest_of(claim), signature[1 : 1 + SIGNATURE_BYTES])


class SuiFamily:
    """The schemes of Sui."""

    def __init__(self) -> None:
        self._names = {flag: kind.name for flag, kind in KEY_KINDS.items()}
        self._names[MULTISIG_FLAG] = "multisig"
        keyed = {kind.name: KeyedAccount(flag, kind) for flag, kind in KEY_KINDS.items()}
        self.schemes: Mapping[str, Scheme] = {**keyed, "multisig": MultiSig()}

    def read_signature(self, text: str, kind: Kind) -> bytes:
        try:
            return read_base64(text)
        except ValueError:
            raise Invalid(Reason.SIGNATURE_MALFORMED) from None

    def scheme_of(self, signature: bytes) -> str:
        """By the flag it begins with."""
        if not signature:
            raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
        name = self._names.get(signature[0])
        if name is None:
            raise Invalid(Reason.SCHEME_UNSUPPORTED)
        return name
