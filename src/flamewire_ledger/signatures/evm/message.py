"""What is hashed and signed on EVM chains, by kind: EIP-191 messages and EIP-712 typed data."""

from __future__ import annotations

from collections.abc import Callable

from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm.typed_data import digest_of_typed_data
from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason

_PERSONAL = b"\x19Ethereum Signed Message:\n"


def personal_digest(message: bytes) -> bytes:
    """EIP-191, version 0x45: what wallets call personal_sign. The length is that of the bytes."""
    return keccak256(_PERSONAL + str(len(message)).encode() + message)


def digest_of(claim: Claim, read_account: Callable[[str], bytes]) -> bytes:
    """The 32 bytes that are signed for everything but transactions. Raises Invalid."""
    match claim.kind:
        case "message" | "personal_message":
            return personal_digest(claim.message)
        case "typed_data":
            return digest_of_typed_data(claim.typed_data, claim.evm_chain_id, read_account)
        case "transaction":
            raise Invalid(Reason.KIND_UNSUPPORTED)
