"""The Scheme Protocol: one way to sign, and how a signature by it is judged.

Verifying raises `Invalid` with a reason and returns nothing: a verdict that can be ignored would
be. Nothing else may come out of a scheme but `Unverifiable`, which is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["message", "personal_message", "typed_data", "transaction"]
MESSAGE_BYTES_MAX: Final = 128 * 1024  # the largest transaction that Ethereum or Sui nodes take
SIGNATURE_BYTES_MAX: Final = 8 * 1024
MEMBERS_MAX: Final = 100


class Reason(StrEnum):
    """Why a signature is not valid. The names are published: add to them, and change none."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Reason:
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.sentence = sentence
        return reason

    ADDRESS_MALFORMED = "address_malformed", "the address is none of this network"
    ADDRESS_ELSEWHERE = "address_elsewhere", "the CAIP-10 account is of another chain"
    SIGNATURE_MALFORMED = (
        "signature_malformed",
        "the signature is not written as on this network (0x and hexadecimal digits, or base64)",
    )
    PARTS_MALFORMED = "parts_malformed", "the parts of the signature do not fit together"
    SIGNATURE_WRONG_LENGTH = "signature_wrong_length", "no signature of this scheme is that long"
    SIGNATURE_TOO_LONG = "signature_too_long", "the signature is longer than any can be"
    MESSAGE_TOO_LONG = "message_too_long", "the message has more than 131072 bytes"
    SCHEME_UNSUPPORTED = "scheme_unsupported", "this network has no such scheme here"
    SCHEME_DIFFERS = "scheme_differs", "the signature says it is of another scheme"
    KIND_UNSUPPORTED = "kind_unsupported", "this scheme does not sign things of that kind"
    TRANSACTION_MALFORMED = "transaction_malformed", "the transaction is not well formed"
    TYPED_DATA_MALFORMED = "typed_data_malformed", "the typed data are not as EIP-712 has them"
    TYPED_DATA_TOO_LARGE = "typed_data_too_large", "the typed data have too many values or types"
    OTHER_CHAIN = "other_chain", "what was signed is for another chain"
    OTHER_CONTRACT = "other_contract", "what was signed is for another contract"
    R_OUT_OF_RANGE = "r_out_of_range", "r is zero, or not below the order of the curve"
    S_OUT_OF_RANGE = "s_out_of_range", "s is zero, or not below the order of the curve"
    S_TOO_HIGH = "s_too_high", "s is in the upper half: anybody can make this twin of a signature"
    RECOVERY_ID_INVALID = "recovery_id_invalid", "v is not 0, 1, 27 or 28 (or of EIP-155)"
    KEY_INVALID = "key_invalid", "the public key is none, or one that anybody can sign for"
    MARKER_MISSING = "marker_missing", "the last byte does not mark it as sr25519"
    SIGNER_DIFFERS = "signer_differs", "another account than this address signed"
    SIGNATURE_MISMATCH = "signature_mismatch", "this account did not sign this message"
    WRAPPED_UNASKED = (
        "wrapped_unasked",
        "the message was signed between <Bytes> and </Bytes>: ask for kind personal_message",
    )
    NOT_WRAPPED = (
        "not_wrapped",
        "the message was signed without <Bytes> and </Bytes>: ask for kind message",
    )
    MEMBERS_MALFORMED = "members_malformed", "the members or their threshold make no account"
    MEMBERS_UNSORTED = "members_unsorted", "the signers are not in ascending order, each once"
    NOT_A_MEMBER = "not_a_member", "somebody signed who is no owner"
    THRESHOLD_NOT_MET = "threshold_not_met", "too few members signed"
    CONTRACT_MISSING = "contract_missing", "there is no contract at this address"
    CONTRACT_REFUSES = "contract_refuses", "the contract says that it is not valid (EIP-1271)"


class Invalid(Exception):
    """The signature does not count."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


class Unverifiable(Exception):
    """Nobody here can tell. The message says what is missing; `is_passing` that it may be there soon."""

    def __init__(self, detail: str, *, is_passing: bool = False) -> None:
        super().__init__(detail)
        self.is_passing = is_passing


@dataclass(frozen=True, slots=True)
class Members:
    """Who signs for an account together: accounts as bytes, and how many of them it takes."""

    accounts: Sequence[bytes]
    threshold: int


@dataclass(frozen=True, slots=True)
class Claim:
    """ "This account signed this." Bytes as they came: their meaning is the scheme's to judge."""

    account: bytes
    kind: Kind
    message: bytes  # empty for typed data
    signature: bytes
    typed_data: Mapping[str, Any] = field(default_factory=dict)
    evm_chain_id: int | None = None  # None: on whichever chain
    members: Members | None = None


class Scheme(Protocol):
    """One way to sign. Schemes keep nothing between claims, and may be used by many tasks."""

    async def verify(self, claim: Claim) -> None:
        """Return when the account signed. Raises Invalid with the first reason found, and
        Unverifiable when a node is needed and there is none, or it does not answer.
        """


class Family(Protocol):
    """The schemes of one kind of chain."""

    @property
    def schemes(self) -> Mapping[str, Scheme]: ...

    def read_signature(self, text: str, kind: Kind) -> bytes:
        """The bytes of a signature as wallets of these chains write it. Raises Invalid."""

    def scheme_of(self, signature: bytes) -> str:
        """Which scheme a signature says it is of, or the usual one. Raises Invalid."""
