"""A credit account as it stands at a time: this file holds what the clock does to what is booked.

The facts are those of `credit_accounts_as_booked`. What has lapsed counts as expired, and holds whose
time is up as let go, whether or not an event has said so. Lists have the same rule in SQL, where only
the sums of each account are of interest; tests prove that both agree with the domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from psycopg.rows import tuple_row

from flamewire_ledger.queries.database import ReadPool, Row, execute
from flamewire_ledger.queries.facts import Subject, Told
from flamewire_ledger.queries.statements import all_queries

QUESTION: Final = "credit_accounts_as_booked"
GRANTS_MAX: Final = 1_000


class _Grant(msgspec.Struct, frozen=True):
    grant_id: str
    source: str
    priority: int
    granted_units: int
    remaining_units: int
    held_units: int
    expires_at: datetime | None
    payment_id: str | None
    granted_at: datetime


class _Lapse(msgspec.Struct, frozen=True):
    """What is left of grants that end at a time."""

    at: datetime
    units: int


class _End(msgspec.Struct, frozen=True):
    """What open holds that end at a time hold of grants of one kind."""

    at: datetime
    grant_expires_at: datetime | None
    is_reversed: bool
    units: int

    def becomes(self, now: datetime) -> str:
        """The column that these units are in once the holds are over."""
        if self.is_reversed:
            return "reversed_units"
        is_over = self.grant_expires_at is not None and self.grant_expires_at <= now
        return "expired_units" if is_over else "available_units"


class _Facts(msgspec.Struct, frozen=True):
    account_id: str
    external_id: str | None
    name: str | None
    overage_max_units: int
    available_units: int
    held_units: int
    granted_units: int
    consumed_units: int
    expired_units: int
    reversed_units: int
    owed_units: int
    transferred_in_units: int
    transferred_out_units: int
    opened_at: datetime
    position: int
    grants: Sequence[_Grant] | None
    lapses: Sequence[_Lapse] | None
    ends: Sequence[_End] | None


class Available(msgspec.Struct, frozen=True):
    """Of the facts, what says how much is available at a time: the rest is not even read."""

    available_units: int
    lapses: Sequence[_Lapse] | None
    ends: Sequence[_End] | None

    def units(self, now: datetime) -> int:
        """As `row_at` has it."""
        units = self.available_units
        for lapse in self.lapses or ():
            if lapse.at <= now:
                units -= lapse.units
        for end in self.ends or ():
            if end.at <= now and end.becomes(now) == "available_units":
                units += end.units
        return units


_decode: Final = msgspec.json.Decoder(_Facts).decode
available: Final = msgspec.json.Decoder(Available).decode


async def ask_facts(pool: ReadPool, subjects: Sequence[Subject]) -> Mapping[Subject, Told]:
    """The facts of several accounts, each of its merchant, in one round trip."""
    parameters = {
        "merchant_ids": [merchant_id for merchant_id, _ in subjects],
        "account_ids": [account_id for _, account_id in subjects],
        "grants_max": GRANTS_MAX,
    }
    rows = await execute(pool, all_queries()[QUESTION].sql, parameters, tuple_row, binary=True)
    return {
        (merchant_id, account_id): Told(position, facts)
        for account_id, merchant_id, position, facts in rows
    }


def row_at(facts: bytes, now: datetime) -> Row:
    """The account as a row, with its `grants` in burn order: at most GRANTS_MAX."""
    known = _decode(facts)
    row = {name: getattr(known, name) for name in _COLUMNS}
    row["grants"] = [_grant_at(grant, now) for grant in known.grants or ()]
    lapsed = sum(lapse.units for lapse in known.lapses or () if lapse.at <= now)
    row["available_units"] -= lapsed
    row["expired_units"] += lapsed
    for end in known.ends or ():
        if end.at > now:
            continue
        row["held_units"] -= end.units
        row[end.becomes(now)] += end.units
    return row


_COLUMNS: Final = tuple(
    name for name in _Facts.__struct_fields__ if name not in ("grants", "lapses", "ends")
)


def _grant_at(grant: _Grant, now: datetime) -> Row:
    row = msgspec.structs.asdict(grant)
    if grant.expires_at is not None and grant.expires_at <= now:
        row["remaining_units"] = 0
    return row
