"""Every reason to refuse a command, as one tree.

A rejection is expected: it has a code, and nothing was recorded.

    Rejection
    ├── Malformed                 the command does not describe something that could be done
    │   ├── UnknownAsset · UnknownNetwork · InvalidAmount · InvalidAddress
    │   ├── ProofInvalid          the challenge was not signed by this address; `facts` say why
    ├── NotFound                  no such thing, or not the caller's
    ├── AlreadyExists
    ├── NotAllowed                a thing in this state does not do that
    │   ├── LockUsed · LockExpired
    │   ├── ChallengeUsed · ChallengeExpired
    ├── InsufficientCredits       carries what is available
    ├── IdempotencyKeyReused      the same key came with other content
    ├── PriceUnavailable          no price that can be trusted; try later
    └── LimitReached              a bound that exists so that everything stays bounded
        ├── AddressesUsedUp       a pool of deposit addresses has none left
        └── QueueFull             too much at once: says nothing of the command itself

Which HTTP status each becomes is chosen in api/problems.py and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Rejection(Exception):
    """An expected refusal. `pointer` names the field at fault (RFC 6901), when there is one."""

    code: ClassVar[str] = "rejected"

    def __init__(
        self, detail: str, *, pointer: str | None = None, facts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.facts: Mapping[str, str] = facts or {}


class Malformed(Rejection):
    code = "malformed"


class UnknownAsset(Malformed):
    code = "unknown_asset"


class UnknownNetwork(Malformed):
    code = "unknown_network"


class InvalidAmount(Malformed):
    code = "invalid_amount"


class InvalidAddress(Malformed):
    code = "invalid_address"


class ProofInvalid(Malformed):
    """`facts` has the `reason`, as verdicts on signatures name it."""

    code = "proof_invalid"


class NotFound(Rejection):
    code = "not_found"


class AlreadyExists(Rejection):
    code = "already_exists"


class NotAllowed(Rejection):
    code = "not_allowed"


class LockUsed(NotAllowed):
    code = "price_lock_used"


class LockExpired(NotAllowed):
    code = "price_lock_expired"


class ChallengeUsed(NotAllowed):
    code = "challenge_used"


class ChallengeExpired(NotAllowed):
    code = "challenge_expired"


class InsufficientCredits(Rejection):
    """`facts` has `available`, `held` and `requested`, as decimal strings."""

    code = "insufficient_credits"


class IdempotencyKeyReused(Rejection):
    code = "idempotency_key_reused"


class PriceUnavailable(Rejection):
    code = "price_unavailable"


class LimitReached(Rejection):
    code = "limit_reached"


class AddressesUsedUp(LimitReached):
    code = "addresses_used_up"


class QueueFull(LimitReached):
    """It was not looked at, and may be recorded already, by another. What a limit of an account or
    an invoice refuses stays refused until there is room; this passes by itself.
    """
