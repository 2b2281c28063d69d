"""Samples of a price: how often, and what is odd about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.domain.price import (
    BackfillPrices,
    ObservePrice,
    PriceDeviationDetected,
    PriceDeviationEnded,
    PriceRecorded,
    PricesBackfilled,
    PriceSourceReturned,
    PriceSourceWentStale,
    Sample,
    SilentSource,
    SourceSaid,
    decide,
    evolve,
    owner_id,
    price_id,
)
from flamewire_ledger.domain.rejection import Malformed
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TAO = price_id("TAO", livemode=False)


def story() -> Spec:
    return Spec(decide, evolve)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def observe(
    dollars: str | None = "100",
    *,
    at: float = 0,
    said: tuple[str | None, ...] = (),
    silent: tuple[SilentSource, ...] = (),
) -> ObservePrice:
    named = said or (dollars, dollars)
    sources = tuple(
        SourceSaid(f"s{n}", None if it is None else Decimal(it), "silent" if it is None else None)
        for n, it in enumerate(named)
    )
    price = None if dollars is None else Decimal(dollars)
    return ObservePrice(TAO, "TAO", price, sources, silent, after(at))


def samples(*hours: float, dollars: str = "90") -> BackfillPrices:
    taken = tuple(Sample(Decimal(dollars), after(hour * 3600)) for hour in hours)
    return BackfillPrices(TAO, "TAO", "coingecko", taken)


def test_the_first_look_takes_a_sample_with_those_who_counted():
    story().when(observe("412.5")).then(
        fact(PriceRecorded, dollars=Decimal("412.5"), sources=("s0", "s1"), at=NOON)
    )


def test_a_price_that_moves_is_sampled_once_a_minute():
    spec = story().given(observe("100"))
    spec.when(observe("101", at=59)).then_nothing_new()
    spec.when(observe("101", at=60)).then(PriceRecorded)


def test_a_price_that_does_not_move_is_sampled_four_times_an_hour():
    spec = story().given(observe("100"))
    spec.when(observe("100", at=899)).then_nothing_new()
    spec.when(observe("100", at=900)).then(PriceRecorded)


def test_no_price_is_no_sample():
    story().when(observe(None)).then_nothing_new()


@given(
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["100", "101", "102"])), max_size=80)
)
def test_however_often_it_is_looked_at_samples_are_a_minute_apart(looks: list[tuple[int, str]]):
    spec, now = story(), 0
    for seconds, dollars in looks:
        now += seconds
        spec.when(observe(dollars, at=now))
    taken = [each.at for each in spec.events if isinstance(each, PriceRecorded)]
    gaps = [later - earlier for earlier, later in pairwise(taken)]
    assert all(gap >= timedelta(seconds=60) for gap in gaps)


def test_a_price_that_moved_too_far_is_said_with_the_sample():
    spec = story().given(observe("100"))
    spec.when(observe("89", at=60)).then(PriceRecorded, PriceDeviationDetected)
    moved = spec.outcome[1]
    assert (moved.kind, moved.deviation_ppm, moved.since) == ("moved", 110_000, NOON)
    spec.when(observe("95", at=120)).then(PriceRecorded)


def test_sources_that_are_apart_are_said_once_until_they_are_not():
    spec = story().given(observe("100"))
    spec.when(observe("100", at=1, said=("100", "106"))).then(PriceDeviationDetected)
    apart = spec.outcome[0]
    assert (apart.kind, apart.deviation_ppm, apart.deviation_ppm_max) == ("apart", 60_000, 50_000)
    spec.when(observe("100", at=2, said=("100", "110"))).then_nothing_new()
    spec.when(observe("100", at=3, said=("100", "104"))).then(PriceDeviationEnded)
    spec.when(observe("100", at=4, said=("100", "110"))).then(PriceDeviationDetected)


def test_sources_that_give_no_price_together_are_apart_all_the_same():
    story().when(observe(None, said=("1", "10"))).then(PriceDeviationDetected)


def test_a_source_that_is_silent_for_five_minutes_is_stale_and_said_once():
    spec = story().given(observe("100"))
    silent = (SilentSource("s1", "silent: it is down", NOON),)
    spec.when(observe("100", at=299, said=("100", None), silent=silent)).then_nothing_new()
    spec.when(observe("100", at=300, said=("100", None), silent=silent)).then(
        fact(PriceSourceWentStale, source="s1", reason="silent: it is down", since=NOON)
    )
    spec.when(observe("100", at=400, said=("100", None), silent=silent)).then_nothing_new()
    spec.when(observe("100", at=500)).then(fact(PriceSourceReturned, source="s1"))
    spec.when(observe("100", at=501)).then_nothing_new()


def test_the_past_is_filled_in_once():
    spec = story().when(samples(-3, -2, -1))
    spec.then(fact(PricesBackfilled, covers_from=after(-3 * 3600), covers_to=after(-3600)))
    spec.when(samples(-3, -2.5, -1)).then_nothing_new()
    spec.when(samples(-4, -3, -0.5))
    assert [each.at for each in spec.outcome[0].samples] == [after(-4 * 3600), after(-0.5 * 3600)]


def test_samples_that_were_taken_here_are_not_filled_in_over():
    spec = story().given(observe("100")).when(samples(-1, 0, 1))
    assert [each.at for each in spec.outcome[0].samples] == [after(-3600)]


def test_parts_that_go_on_where_another_ended_leave_no_gap():
    first = samples(-6, -5)
    second = BackfillPrices(TAO, "TAO", "coingecko", samples(-4, -3).samples, after(-5 * 3600))
    spec = story().given(first, second)
    assert spec.state.covered == ((after(-6 * 3600), after(-3 * 3600)),)
    spec.when(samples(-4.5)).then_nothing_new()


def test_what_is_no_price_is_not_filled_in():
    story().when(samples(-1, dollars="0")).then_refused(Malformed)
    story().when(samples(*range(-1_001, 0))).then_refused(Malformed)


def test_sandbox_prices_are_others_than_real_ones():
    assert price_id("TAO", livemode=True) != TAO
    assert owner_id(livemode=True) != owner_id(livemode=False)
