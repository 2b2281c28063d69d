"""secp256k1 on EVM chains: an account with a key of its own. The signer is recovered and compared.

Signatures are r ‖ s ‖ v (65 bytes) or compact (EIP-2098, 64 bytes). A transaction may bring its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.curves.secp256k1 import recover
from flamewire_ledger.signatures.evm.message import digest_of
from flamewire_ledger.signatures.evm.transaction import Transaction, read_transaction
from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason

_PARITY: Final = {0: 0, 1: 1, 27: 0, 28: 1}


class KeyedAccount:
    """The scheme `secp256k1`."""

    def __init__(self, read_account: Callable[[str], bytes]) -> None:
        self._read_account = read_account

    async def verify(self, claim: Claim) -> None:
        if claim.kind == "transaction":
            digest, (compact, parity) = _of_transaction(claim)
        else:
            digest = digest_of(claim, self._read_account)
            compact, parity = split(claim.signature)
        if signer(digest, compact, parity) != claim.account:
            raise Invalid(Reason.SIGNER_DIFFERS)


def signer(digest: bytes, compact: bytes, parity: int) -> bytes:
    """The 20 bytes of the account whose key signed. Raises Invalid."""
    key = recover(digest, compact, parity).format(compressed=False)
    return keccak256(key[1:])[12:]


def split(signature: bytes, evm_chain_id: int | None = None) -> tuple[bytes, int]:
    """r ‖ s, and the parity of R's y. Raises Invalid.

    With a chain id, v may be that of EIP-155 as well: 35 + 2 × chain id + parity.
    """
    if len(signature) == 64:
        return _compact(signature)
    if len(signature) != 65:
        raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
    v = signature[64]
    parity = _PARITY.get(v)
    if parity is None and evm_chain_id is not None and v - 35 - 2 * evm_chain_id in (0, 1):
        parity = v - 35 - 2 * evm_chain_id
    if parity is None:
        raise Invalid(Reason.RECOVERY_ID_INVALID)
    return signature[:64], parity


def _compact(signature: bytes) -> tuple[bytes, int]:
    """EIP-2098: the parity is the highest bit of s, which low values of s leave free."""
    first = signature[32]
    return signature[:32] + bytes((first & 0x7F,)) + signature[33:], first >> 7


def _of_transaction(claim: Claim) -> tuple[bytes, tuple[bytes, int]]:
    """What is signed, and by what: the claim's signature or the one inside, which are the same."""
    found = read_transaction(claim.message)
    if claim.evm_chain_id is not None and found.evm_chain_id not in (None, claim.evm_chain_id):
        raise Invalid(Reason.OTHER_CHAIN)
    return found.digest, _signed(claim, found)


def _signed(claim: Claim, found: Transaction) -> tuple[bytes, int]:
    if not claim.signature:
        if found.signed is None:
            raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
        return found.signed
    given = split(claim.signature, found.evm_chain_id)
    if found.signed is not None and found.signed != given:
        raise Invalid(Reason.SIGNATURE_MISMATCH)
    return given
