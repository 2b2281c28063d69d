"""What meters counted for an account in a stretch of time, as it is billed.

Usage is kept by the hour, and an hour is billed whole, with the period in which it ends. So stretches
that follow each other bill each hour once, wherever in it they meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from flamewire_ledger.billing.subscriptions import UsageKey
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.store.event_store import EventStore, partition_of

READ_MODEL: Final = "usage"
_WAIT_SECONDS_MAX: Final = 2.0
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


class UsageBehind(Exception):
    """The read model has not seen yet all usage that is recorded. Ask again."""


class MeteredUsage:
    """Answers once everything recorded until then is in the answer."""

    def __init__(self, reads: ReadModels, store: EventStore) -> None:
        self._reads = reads
        self._store = store

    async def metered(
        self, merchant_id: str, credit_account_id: str, keys: Sequence[UsageKey]
    ) -> Mapping[UsageKey, Decimal]:
        """So much for each key; 0 where nothing was counted. Raises UsageBehind."""
        if not keys:
            return {}
        partition = partition_of(merchant_id, self._store.partitions)
        head = await self._store.head(partition)
        names = (READ_MODEL, "meters")
        if not await self._reads.wait_for(partition, head, names, _WAIT_SECONDS_MAX):
            raise UsageBehind(f"usage up to position {head} is not counted yet")
        return {key: await self._one(merchant_id, credit_account_id, key) for key in keys}

    async def _one(self, merchant_id: str, account_id: str, key: UsageKey) -> Decimal:
        begin, end = _hour(key.start), _hour(key.end)
        rows = await self._reads.ask(
            READ_MODEL,
            "usage_by_period",
            {
                "merchant_id": merchant_id,
                "account_id": account_id,
                "meter_id": key.meter,
                "from": begin,
                "to": end,
                "recorded_from": _EVER[0],
                "recorded_to": _EVER[1],
                "late_from": _EVER[1],
                "now": end,
                "granularity": "none",
                "group_by": [],
                "limit": 1,
            },
        )
        quantity = rows[0]["quantity"] if rows else None
        # Levels may be below zero; nothing is owed for that.
        return max(Decimal(0), Decimal(quantity or 0))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
