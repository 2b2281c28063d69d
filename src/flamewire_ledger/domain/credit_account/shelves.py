"""Where the grants of an account are kept: those with something left in burn order, the others on
shelves. Every change of a grant goes through here.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from flamewire_ledger.domain.credit_account.facts import Slice
from flamewire_ledger.domain.credit_account.state import CreditAccount, Grant

_Value = TypeVar("_Value")


def parts(account: CreditAccount, slices: Iterable[Slice]) -> list[tuple[Slice, Grant]]:
    return [(part, known(account, part.grant_id)) for part in slices]


def known(account: CreditAccount, grant_id: str) -> Grant:
    grant = account.grant(grant_id)
    assert grant is not None, "what facts speak of was granted to this account"
    return grant


def with_grants(account: CreditAccount, changed: Mapping[str, Grant]) -> CreditAccount:
    grants, used_up = _replaced(account, changed)
    return replace(account, grants=grants, used_up=used_up)


def _replaced(
    account: CreditAccount, changed: Mapping[str, Grant]
) -> tuple[tuple[Grant, ...], dict[str, dict[str, Grant]]]:
    """The grants with some changed, and those that are used up by that put on their shelf."""
    grants = list(account.grants)
    used_up = account.used_up
    to_find = dict(changed)
    index = 0
    while to_find and index < len(grants):
        grant_id = grants[index].terms.grant_id
        grant = to_find.pop(grant_id, None)
        if grant is None:
            index += 1
        elif grant.remaining or grant.held:
            grants[index] = grant
            index += 1
        else:
            del grants[index]
            used_up = put_away(used_up, grant)
    for grant in to_find.values():  # it is new, or was on its shelf before
        if grant.remaining or grant.held:
            insort(grants, grant, key=lambda other: other.terms.burn_order)
            used_up = _taken_out(used_up, grant.terms.grant_id)
        else:
            used_up = put_away(used_up, grant)
    return tuple(grants), used_up


def put_away(used_up: dict[str, dict[str, Grant]], grant: Grant) -> dict[str, dict[str, Grant]]:
    grant_id = grant.terms.grant_id
    shelf = grant_id[-1:]
    return {**used_up, shelf: {**used_up.get(shelf, {}), grant_id: grant}}


def _taken_out(used_up: dict[str, dict[str, Grant]], grant_id: str) -> dict[str, dict[str, Grant]]:
    shelf = grant_id[-1:]
    if grant_id not in used_up.get(shelf, {}):
        return used_up
    rest = without(used_up[shelf], grant_id)
    return {**used_up, shelf: rest} if rest else without(used_up, shelf)


def without(these: Mapping[str, _Value], key: str) -> dict[str, _Value]:
    return {name: value for name, value in these.items() if name != key}
