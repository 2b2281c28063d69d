"""Usage for a bill: what an account used in a period, as rating takes it, in one question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from flamewire_ledger.billing.rating import Used
from flamewire_ledger.queries.read_models import ReadModels

ROWS_MAX: Final = 100_000
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


class TooMuchUsage(Exception):
    """More groups than a bill is made of at once: group by fewer keys."""


async def usage_of_period(
    reads: ReadModels,
    merchant_id: str,
    account_id: str,
    begin: datetime,
    end: datetime,
    *,
    group_by: Sequence[str] = (),
    meter_id: str | None = None,
    recorded_before: datetime | None = None,
    now: datetime | None = None,
) -> list[Used]:
    """What happened in [begin, end), both full hours, summed up by meter and group.

    `recorded_before` (a full hour): as it was known then. What a closed period was billed with, and
    the same without it, is what `billing.rating.adjust` takes. `now` ends what is weighted by time;
    the period does by default.
    """
    rows = await reads.ask(
        "usage",
        "usage_by_period",
        {
            "merchant_id": merchant_id,
            "account_id": account_id,
            "meter_id": meter_id,
            "from": begin,
            "to": end,
            "recorded_from": _EVER[0],
            "recorded_to": recorded_before or _EVER[1],
            "late_from": _EVER[1],
            "now": now or end,
            "granularity": "none",
            "group_by": list(group_by),
            "limit": ROWS_MAX + 1,
        },
    )
    if len(rows) > ROWS_MAX:
        raise TooMuchUsage(f"a period has at most {ROWS_MAX} groups of usage")
    return [Used(row["meter_id"], row["grouped"], Decimal(row["quantity"] or 0)) for row in rows]
