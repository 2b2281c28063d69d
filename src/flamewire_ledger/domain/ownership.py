"""Ownership: a challenge that is signed once registers an address, until that is revoked.

Who signs the challenge shows that the address is theirs: so that a refund goes there, or that who
sent a payment from there is known. The text to sign is made of what was recorded, never of what a
request says; whether it was signed is found out before the command is sent, and cannot be here.
Judged by the clock: a challenge that nobody met needs no fact that it has expired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    ChallengeExpired,
    ChallengeUsed,
    Malformed,
    NotAllowed,
    NotFound,
)

Purpose: TypeAlias = Literal["refund", "sender"]
Kind: TypeAlias = Literal["message", "personal_message"]  # as signatures have them
_NONCE: Final = re.compile(r"[0-9A-Za-z]{8,64}\Z")  # EIP-4361: eight letters or digits at least

# Facts.


@dataclass(frozen=True, slots=True)
class OwnershipChallengeIssued:
    """`kind` says how the text is signed; on Substrate, whether wrapped or as it stands."""

    type: ClassVar = "ownership.challenge_issued.v1"
    ownership_id: str
    purpose: Purpose
    payment_id: str | None  # of the two one is set: what the address is for
    account_id: str | None
    network: str
    chain_id: str  # CAIP-2
    address: str
    kind: Kind
    domain: str  # who asks, as the payer reads it
    nonce: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OwnershipAddressRegistered:
    """The proof is kept: whoever doubts it makes the text of the challenge and verifies it again."""

    type: ClassVar = "ownership.address_registered.v1"
    ownership_id: str
    purpose: Purpose
    payment_id: str | None
    account_id: str | None
    network: str
    chain_id: str
    address: str
    scheme: str
    signature: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class OwnershipAddressRevoked:
    type: ClassVar = "ownership.address_revoked.v1"
    ownership_id: str
    revoked_at: datetime


OwnershipEvent: TypeAlias = (
    OwnershipChallengeIssued | OwnershipAddressRegistered | OwnershipAddressRevoked
)

# State.


@dataclass(frozen=True, slots=True)
class Ownership:
    issued: OwnershipChallengeIssued
    registered: OwnershipAddressRegistered | None = None
    revoked_at: datetime | None = None


def evolve(ownership: Ownership | None, event: OwnershipEvent) -> Ownership:
    """Fold one fact into the state."""
    if isinstance(event, OwnershipChallengeIssued):
        return Ownership(issued=event)
    assert ownership is not None, "the first fact is OwnershipChallengeIssued"
    match event:
        case OwnershipAddressRegistered():
            return replace(ownership, registered=event)
        case OwnershipAddressRevoked():
            return replace(ownership, revoked_at=event.revoked_at)
        case _:
            assert_never(event)


# The text. It belongs to version 1 of the fact: what is signed today is verified in years.

_SENTENCES: Final[dict[Purpose, str]] = {
    "refund": "What is paid back for {what} may be sent to it.",
    "sender": "What it sends may be taken as paid for {what}.",
}


def message_of(issued: OwnershipChallengeIssued) -> str:
    """The text to sign, in the form of EIP-4361 (CAIP-122) on every chain.

    Its first line is another than that of a sign-in: nobody can be signed in with it anywhere.
    """
    if issued.payment_id is not None:
        what = f"payment intent {issued.payment_id}"
    else:
        what = f"credit account {issued.account_id}"
    sentence = _SENTENCES[issued.purpose].format(what=what)
    return "\n".join(
        (
            f"{issued.domain} asks you to prove that this {issued.network} account is yours:",
            issued.address,
            "",
            f"{sentence} To sign this moves no money and allows nothing else.",
            "",
            f"URI: urn:flamewire:ownership:{issued.ownership_id}",
            "Version: 1",
            f"Chain ID: {issued.chain_id}",
            f"Nonce: {issued.nonce}",
            f"Issued At: {_written(issued.issued_at)}",
            f"Expiration Time: {_written(issued.expires_at)}",
            f"Request ID: {issued.ownership_id}",
            "Resources:",
            f"- {issued.chain_id}:{issued.address}",
        )
    )


def _written(at: datetime) -> str:
    """RFC 3339. Times are in UTC."""
    return at.isoformat().replace("+00:00", "Z")


# Commands.


@dataclass(frozen=True, slots=True)
class IssueOwnershipChallenge:
    ownership_id: str
    purpose: Purpose
    payment_id: str | None
    account_id: str | None
    network: str
    chain_id: str
    address: str  # in its one spelling
    kind: Kind
    domain: str
    nonce: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RegisterOwnedAddress:
    """Send it only when `signature` was verified: that this address signed this challenge's text."""

    ownership_id: str
    scheme: str
    signature: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RevokeOwnedAddress:
    ownership_id: str
    at: datetime


OwnershipCommand: TypeAlias = IssueOwnershipChallenge | RegisterOwnedAddress | RevokeOwnedAddress


def decide(ownership: Ownership | None, command: OwnershipCommand) -> tuple[OwnershipEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case IssueOwnershipChallenge():
            return _issue(ownership, command)
        case RegisterOwnedAddress():
            return _register(ownership, command)
        case RevokeOwnedAddress():
            return _revoke(_known(ownership), command)
        case _:
            assert_never(command)


def open_challenge(ownership: Ownership | None, at: datetime) -> OwnershipChallengeIssued:
    """The challenge, if it can still be met. Raises NotFound, ChallengeUsed and ChallengeExpired."""
    known = _known(ownership)
    if known.registered is not None:
        raise ChallengeUsed("this challenge was met before; ask for a new one")
    if at >= known.issued.expires_at:
        raise ChallengeExpired("this challenge has expired; ask for a new one")
    return known.issued


def _known(ownership: Ownership | None) -> Ownership:
    if ownership is None:
        raise NotFound("there is no such ownership challenge")
    return ownership


def _issue(
    ownership: Ownership | None, command: IssueOwnershipChallenge
) -> tuple[OwnershipEvent, ...]:
    if ownership is not None:
        raise AlreadyExists(f"ownership challenge {command.ownership_id} exists")
    if (command.payment_id is None) == (command.account_id is None):
        raise Malformed("an address is for one payment intent or one credit account", pointer="")
    if command.expires_at <= command.at:
        raise Malformed("a challenge expires after it is issued")
    if not _NONCE.match(command.nonce):
        raise Malformed("a nonce has 8 to 64 letters and digits")
    # Each stands on a line of its own: none may begin another, and so say something else.
    for line in (command.domain, command.network, command.chain_id, command.address):
        if not line or not line.isprintable():
            raise Malformed("a challenge is made of lines that can be printed")
    return (
        OwnershipChallengeIssued(
            ownership_id=command.ownership_id,
            purpose=command.purpose,
            payment_id=command.payment_id,
            account_id=command.account_id,
            network=command.network,
            chain_id=command.chain_id,
            address=command.address,
            kind=command.kind,
            domain=command.domain,
            nonce=command.nonce,
            issued_at=command.at,
            expires_at=command.expires_at,
        ),
    )


def _register(
    ownership: Ownership | None, command: RegisterOwnedAddress
) -> tuple[OwnershipEvent, ...]:
    issued = open_challenge(ownership, command.at)
    return (
        OwnershipAddressRegistered(
            ownership_id=issued.ownership_id,
            purpose=issued.purpose,
            payment_id=issued.payment_id,
            account_id=issued.account_id,
            network=issued.network,
            chain_id=issued.chain_id,
            address=issued.address,
            scheme=command.scheme,
            signature=command.signature,
            registered_at=command.at,
        ),
    )


def _revoke(ownership: Ownership, command: RevokeOwnedAddress) -> tuple[OwnershipEvent, ...]:
    if ownership.registered is None:
        raise NotAllowed("this challenge has registered no address yet")
    if ownership.revoked_at is not None:
        return ()
    return (OwnershipAddressRevoked(command.ownership_id, command.at),)
