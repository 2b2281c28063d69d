"""Rules about usage: an item counts once, wherever it was sent to, and what it cost was burnt with it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from flamewire_ledger.domain.credit_account import CreditsConsumed
from flamewire_ledger.domain.usage import UsageRecorded
from flamewire_ledger.store.usage_items import key_of
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence
from tests.simulation.usage_traffic import SOURCE, Item

_COUNTED = ("accepted", "duplicate")


def items_count_once(evidence: Evidence) -> None:
    """What a gateway was told counts is recorded. What it was told does not is not, unless it was sent
    again and the answer was lost.
    """
    batches = evidence.usage_items._batches
    open_ = [id_ for id_, batch in batches.items() if batch.position is None]
    if open_:
        raise Broken("what is claimed is recorded", f"{open_}")
    recorded = _recorded(evidence)
    for (merchant_id, id_), said in evidence.business.usage.told.items():
        key = (merchant_id, id_)
        may_count = said in _COUNTED or evidence.business.usage.attempts[key] > 1
        if (said in _COUNTED and key not in recorded) or (key in recorded and not may_count):
            raise Broken("what is said of an item is so", f"{merchant_id} {id_}: {said}")


def sums_are_those_of_the_items(evidence: Evidence) -> None:
    """Of each account, meter and hour; as they were sent."""
    meters = {
        (merchant_id, each.defined.event_type): each.defined.meter_id
        for merchant_id, meters in evidence.business.usage._meters.items()
        for each in meters
    }
    sent: Counter[tuple[str, str, datetime]] = Counter()
    for (merchant_id, _), item in _recorded(evidence).items():
        hour = item.at.replace(minute=0, second=0, microsecond=0)
        sent[item.account_id, meters[merchant_id, item.type], hour] += item.calls
    counted: Counter[tuple[str, str, datetime]] = Counter()
    items = 0
    for seen in evidence.facts(UsageRecorded):
        for bundle in seen.fact.bundles:
            items += bundle.items
            for delta in bundle.deltas:
                counted[seen.fact.account_id, delta.meter_id, delta.hour] += int(delta.quantity)
    if sent != counted or items != len(_recorded(evidence)):
        raise Broken("sums are those of the items", f"{sent - counted}, {counted - sent}")


def what_was_used_was_burnt_with_it(evidence: Evidence) -> None:
    burnt = {
        seen.fact.reference: seen.fact.amount
        for seen in evidence.facts(CreditsConsumed)
        if (seen.fact.reference or "").startswith("usage:")
    }
    cost = {
        f"usage:{seen.fact.batch_id}": seen.fact.burnt
        for seen in evidence.facts(UsageRecorded)
        if not seen.fact.burnt.is_zero
    }
    if burnt != cost:
        raise Broken("what was used was burnt with it", f"{burnt.keys() ^ cost.keys()}")


def used_in(
    evidence: Evidence, account_id: str, meter_id: str, start: datetime, end: datetime
) -> list[tuple[int, Decimal]]:
    """(position, quantity) of what a meter counted from one hour until before another."""
    return [
        (seen.recorded.position, delta.quantity)
        for seen in evidence.facts(UsageRecorded)
        if seen.fact.account_id == account_id
        for bundle in seen.fact.bundles
        for delta in bundle.deltas
        if delta.meter_id == meter_id and start <= delta.hour < end
    ]


def _recorded(evidence: Evidence) -> dict[tuple[str, str], Item]:
    """Items whose key is taken by a batch that is in the log; a batch is in it once."""
    batches = Counter(UUID(hex=seen.fact.batch_id) for seen in evidence.facts(UsageRecorded))
    if any(times > 1 for times in batches.values()):
        raise Broken("a batch is recorded once", f"{batches.most_common(1)}")
    taken = evidence.usage_items._keys
    return {
        (merchant_id, id_): item
        for (merchant_id, id_), item in evidence.business.usage.items.items()
        if taken.get(key_of(merchant_id, SOURCE, id_), (None, 0))[0] in batches
    }


RULES: Final = (
    items_count_once,
    sums_are_those_of_the_items,
    what_was_used_was_burnt_with_it,
)
