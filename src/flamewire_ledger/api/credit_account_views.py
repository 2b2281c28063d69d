"""Credit accounts, grants and holds as they are answered: from the state after a command, or from
the rows of the read model.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, signed, time
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    NOTHING,
    BalanceUnits,
    CreditAccount,
    CreditsConsumed,
    Grant,
    Slice,
    balance_units,
    grants_in_burn_order,
)
from flamewire_ledger.domain.money import major_text

GRANTS_MAX: Final = 1000
_NO_CREDITS: Final = NOTHING.text


def of_state(account: CreditAccount, at: datetime) -> dict[str, Any]:
    """The account as it stands at a time, what has lapsed by then counted as lapsed."""
    opened = account.opened
    grants = grants_in_burn_order(account, at)[:GRANTS_MAX]
    return {
        "id": opened.account_id,
        "object": "credit_account",
        "external_id": opened.external_id,
        "name": opened.name,
        **money("overage_max", account.overage_max),
        "balance": balance_of(account, at),
        "grants": [grant_of(grant, at) for grant in grants],
        "created_at": time(opened.opened_at),
    }


def of_row(row: Row, *, with_grants: bool = True) -> dict[str, Any]:
    view = {
        "id": row["account_id"],
        "object": "credit_account",
        "external_id": row["external_id"],
        "name": row["name"],
        **in_credits("overage_max", int(row["overage_max_units"])),
        "balance": balance_of_units(
            BalanceUnits(
                available=int(row["available_units"]),
                held=int(row["held_units"]),
                granted=int(row["granted_units"]),
                consumed=int(row["consumed_units"]),
                expired=int(row["expired_units"]),
                owed=int(row["owed_units"]),
                taken_back=int(row["reversed_units"]),
                transferred_in=int(row["transferred_in_units"]),
                transferred_out=int(row["transferred_out_units"]),
            )
        ),
        "grants": [grant_of_row(grant) for grant in row["grants"]] if with_grants else [],
        "created_at": time(row["opened_at"]),
        "position": row["position"],
    }
    if not with_grants:
        del view["grants"]
    return view


def balance_of(account: CreditAccount, at: datetime) -> dict[str, str]:
    return balance_of_units(balance_units(account, at))


def balance_of_units(units: BalanceUnits) -> dict[str, str]:
    """Written out, because every answer to a command on an account ends with one."""
    available, held, granted, consumed, expired, owed, taken_back, came, left = units
    return {
        "available": _credits(available),
        "available_minor": str(available),
        "held": _credits(held),
        "held_minor": str(held),
        "granted": _credits(granted),
        "granted_minor": str(granted),
        "consumed": _credits(consumed),
        "consumed_minor": str(consumed),
        "expired": _credits(expired),
        "expired_minor": str(expired),
        "reversed": _credits(taken_back),
        "reversed_minor": str(taken_back),
        "owed": _credits(owed),
        "owed_minor": str(owed),
        "transferred_in": _credits(came),
        "transferred_in_minor": str(came),
        "transferred_out": _credits(left),
        "transferred_out_minor": str(left),
    }


def _credits(units: int) -> str:
    return major_text(units, CREDIT.decimals) if units else _NO_CREDITS


def in_credits(name: str, units: int) -> dict[str, str]:
    """As rendering.money, of base units of CREDIT."""
    return {name: _credits(units), f"{name}_minor": str(units)}


def grant_of(grant: Grant, at: datetime) -> dict[str, Any]:
    terms = grant.terms
    return _grant(
        grant_id=terms.grant_id,
        units=terms.units,
        remaining=0 if grant.is_over(at) else grant.remaining,
        held=grant.held,
        source=terms.source,
        priority=terms.priority,
        expires_at=terms.expires_at,
        payment_id=terms.payment_id,
        granted_at=terms.granted_at,
    )


def grant_of_row(row: Row) -> dict[str, Any]:
    return _grant(
        grant_id=row["grant_id"],
        units=row["granted_units"],
        remaining=row["remaining_units"],
        held=row["held_units"],
        source=row["source"],
        priority=row["priority"],
        expires_at=row["expires_at"],
        payment_id=row["payment_id"],
        granted_at=row["granted_at"],
    )


def _grant(
    *,
    grant_id: str,
    units: int,
    remaining: int,
    held: int,
    source: str,
    priority: int,
    expires_at: datetime | None,
    payment_id: str | None,
    granted_at: datetime,
) -> dict[str, Any]:
    return {
        "id": grant_id,
        "object": "credit_grant",
        **in_credits("amount", int(units)),
        **in_credits("remaining", int(remaining)),
        **in_credits("held", int(held)),
        "source": source,
        "priority": priority,
        "expires_at": time(expires_at),
        "payment_intent_id": payment_id,
        "created_at": time(granted_at),
    }


def hold(
    *,
    hold_id: str,
    account_id: str,
    status: str,
    units: int,
    captured: int,
    reference: str | None,
    expires_at: datetime,
) -> dict[str, Any]:
    return {
        "id": hold_id,
        "object": "credit_hold",
        "credit_account_id": account_id,
        "status": status,
        **in_credits("amount", int(units)),
        **in_credits("captured", int(captured)),
        "reference": reference,
        "expires_at": time(expires_at),
    }


def hold_of_row(row: Row) -> dict[str, Any]:
    return {
        **hold(
            hold_id=row["hold_id"],
            account_id=row["account_id"],
            status=row["status"],
            units=row["units"],
            captured=row["captured_units"],
            reference=row["reference"],
            expires_at=row["expires_at"],
        ),
        "position": row["position"],
    }


def entry_of_row(row: Row) -> dict[str, Any]:
    slices = [Slice(part["grant_id"], int(part["units"])) for part in row["slices"] or ()]
    return {
        "object": "credit_entry",
        "id": str(row["position"]),
        "kind": row["kind"],
        **in_credits("amount", int(row["units"])),
        **signed("available", CREDIT, row["available_units"]),
        **signed("held", CREDIT, row["held_units"]),
        **signed("balance", CREDIT, row["balance_units"]),
        "grant_id": row["grant_id"],
        "hold_id": row["hold_id"],
        "payment_intent_id": row["payment_id"],
        "reference": row["reference"],
        "refund_of": None if row["refund_of"] is None else str(row["refund_of"]),
        "transfer_id": row["transfer_id"],
        "other_account_id": row["other_account_id"],
        "slices": slices_of(slices),
        "created_at": time(row["at"]),
        "position": row["position"],
    }


def consumption(fact: CreditsConsumed) -> dict[str, Any]:
    """The one there are most of, and so written out as `balance_of_units` is."""
    amount, overage = fact.amount.units, fact.overage.units
    return {
        "object": "credit_consumption",
        "credit_account_id": fact.account_id,
        "amount": _credits(amount),
        "amount_minor": str(amount),
        "overage": _credits(overage),
        "overage_minor": str(overage),
        "reference": fact.reference,
        "slices": slices_of(fact.slices),
        "created_at": time(fact.consumed_at),
    }


def slices_of(slices: Iterable[Slice]) -> list[dict[str, Any]]:
    return [
        {
            "grant_id": part.grant_id,
            "amount": _credits(part.units),
            "amount_minor": str(part.units),
        }
        for part in slices
    ]
