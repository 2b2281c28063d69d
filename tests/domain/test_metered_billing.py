"""What an account used of a meter is billed by one subscription at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from flamewire_ledger.domain.metered_billing import (
    BillMeters,
    MetersReleased,
    MetersTaken,
    ReleaseMeters,
    decide,
    evolve,
    stream_of,
)
from flamewire_ledger.domain.rejection import NotAllowed
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def bill(name: str, *meters: str) -> BillMeters:
    return BillMeters("ca_1", name, meters, NOON)


def release(name: str, *kept: str) -> ReleaseMeters:
    return ReleaseMeters("ca_1", name, kept, NOON)


def billing() -> Spec:
    return Spec(decide, evolve)


def test_a_meter_is_billed_by_who_came_first():
    spec = billing().when(bill("sub_1", "b", "a")).then(fact(MetersTaken, meter_ids=("a", "b")))
    spec.when(bill("sub_1", "a", "b")).then()
    spec.when(bill("sub_2", "b", "c")).then_refused(NotAllowed)
    spec.when(bill("sub_2", "c")).then(MetersTaken)


def test_what_a_plan_has_no_more_is_free_for_others():
    spec = billing().given(bill("sub_1", "a", "b"))
    spec.when(bill("sub_1", "b", "c")).then(
        fact(MetersReleased, meter_ids=("a",)), fact(MetersTaken, meter_ids=("c",))
    )
    spec.when(bill("sub_2", "a")).then(MetersTaken)


def test_what_has_ended_bills_nothing_and_takes_nothing_from_others():
    spec = billing().given(bill("sub_1", "a"), bill("sub_2", "b"))
    spec.when(release("sub_1", "a", "b")).then()
    spec.when(release("sub_1")).then(fact(MetersReleased, subscription_id="sub_1"))
    spec.when(bill("sub_1", "b")).then_refused(NotAllowed)


def test_an_account_has_one_stream_for_it():
    assert stream_of("ca_01kg") == "mb_01kg"
