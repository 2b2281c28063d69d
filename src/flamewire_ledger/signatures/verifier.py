"""The verifier: a claim as it is written, taken apart, given to its scheme, and answered with a verdict
that always has the same three parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.signatures.scheme import (
    MEMBERS_MAX,
    MESSAGE_BYTES_MAX,
    SIGNATURE_BYTES_MAX,
    Claim,
    Family,
    Invalid,
    Kind,
    Members,
    Reason,
)

FamilyName: TypeAlias = Literal["evm", "substrate", "sui"]


@dataclass(frozen=True, slots=True)
class WrittenMembers:
    """The owners of a multisig wallet, as addresses."""

    addresses: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Statement:
    """ "This address signed this", as somebody wrote it."""

    family: FamilyName
    read_account: Callable[[str], bytes]  # raises InvalidAddress
    address: str
    kind: Kind
    message: bytes
    signature: str
    scheme: str | None = None
    typed_data: Mapping[str, Any] | None = None
    evm_chain_id: int | None = None
    members: WrittenMembers | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is None exactly when it is valid; `scheme` is None when it could not be told."""

    reason: Reason | None
    scheme: str | None

    @property
    def is_valid(self) -> bool:
        return self.reason is None


class Verifier:
    """Knows the families. `family` may import what one needs when it is first asked for."""

    def __init__(self, family: Callable[[FamilyName], Family]) -> None:
        self.family = family

    async def verify(self, statement: Statement) -> Verdict:
        """The verdict, whatever was written. Raises Unverifiable only."""
        family = self.family(statement.family)
        name = statement.scheme if statement.scheme in family.schemes else None
        try:
            account = _account(statement, statement.address)
            signature = _signature(statement, family)
            name = _chosen(statement.scheme, signature, family)
            claim = _claim(statement, account, signature)
            await family.schemes[name].verify(claim)
        except Invalid as invalid:
            return Verdict(invalid.reason, name)
        return Verdict(None, name)


def _signature(statement: Statement, family: Family) -> bytes:
    if len(statement.signature) > 2 * SIGNATURE_BYTES_MAX + 2:
        raise Invalid(Reason.SIGNATURE_TOO_LONG)
    return family.read_signature(statement.signature, statement.kind)


def _chosen(asked: str | None, signature: bytes, family: Family) -> str:
    """The scheme that was asked for; otherwise the one the signature says it is of."""
    if asked is None:
        return family.scheme_of(signature)
    if asked not in family.schemes:
        raise Invalid(Reason.SCHEME_UNSUPPORTED)
    return asked


def _claim(statement: Statement, account: bytes, signature: bytes) -> Claim:
    if len(statement.message) > MESSAGE_BYTES_MAX:
        raise Invalid(Reason.MESSAGE_TOO_LONG)
    if (statement.kind == "typed_data") != (statement.typed_data is not None):
        raise Invalid(Reason.TYPED_DATA_MALFORMED)
    return Claim(
        account=account,
        kind=statement.kind,
        message=statement.message,
        signature=signature,
        typed_data=statement.typed_data or {},
        evm_chain_id=statement.evm_chain_id,
        members=_members(statement),
    )


def _account(statement: Statement, address: str) -> bytes:
    try:
        return statement.read_account(address)
    except InvalidAddress:
        raise Invalid(Reason.ADDRESS_MALFORMED) from None


def _members(statement: Statement) -> Members | None:
    written = statement.members
    if written is None:
        return None
    count = len(written.addresses)
    if not 1 <= written.threshold <= count <= MEMBERS_MAX:
        raise Invalid(Reason.MEMBERS_MALFORMED)
    accounts = tuple(_account(statement, address) for address in written.addresses)
    if len(set(accounts)) != count:
        raise Invalid(Reason.MEMBERS_MALFORMED)
    return Members(accounts, written.threshold)
