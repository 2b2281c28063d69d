"""Scopes: `resource:read`, `resource:write` and `*`. Whoever may write a resource may read it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from flamewire_ledger.domain.rejection import Malformed

EVERYTHING: Final = "*"
RESOURCES: Final = (
    "payments",
    "prices",
    "credits",
    "invoices",
    "usage",
    "subscriptions",
    "ownership",
    "ledger",
    "events",
    "sandbox",
    "unclaimed",
    "webhooks",
    "keys",
)
SCOPES: Final = frozenset(
    {EVERYTHING, *(f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write"))}
)


def allows(held: Set[str], needed: str) -> bool:
    """Whether a key with the scopes held may do what needs this one."""
    if EVERYTHING in held or needed in held:
        return True
    resource, _, verb = needed.partition(":")
    return verb == "read" and f"{resource}:write" in held


def covers(held: Set[str], given: Set[str]) -> bool:
    """Whether every scope given is one the holder has: nobody hands on more than they have."""
    if EVERYTHING in held:
        return True
    return all(scope != EVERYTHING and allows(held, scope) for scope in given)


def check_scopes(scopes: Iterable[str]) -> None:
    """Raises Malformed for a scope there is not, and for none at all."""
    given = set(scopes)
    if not given:
        raise Malformed("an API key has at least one scope", pointer="/scopes")
    if unknown := sorted(given - SCOPES):
        known = ", ".join(sorted(SCOPES))
        raise Malformed(f"{unknown[0]!r} is no scope; there is {known}", pointer="/scopes")
