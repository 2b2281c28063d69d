"""Tax lots: units and costs add up to the last one, whatever the method, and each takes what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.lots import Disposal, Lot, LotBook, LotError, Match, Method

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
METHODS: tuple[Method, ...] = ("fifo", "lifo", "hifo", "average", "specific")


def lot(name: str, units: int, cost: int | None, *, day: int = 0, **more: Any) -> Lot:
    given = {"asset": "TAO", "wallet": "hot", **more}
    return Lot(id=name, units=units, cost=cost, acquired_at=NOON + timedelta(days=day), **given)


def gone(units: int, proceeds: int | None = 0, *, day: int = 10, **more: Any) -> Disposal:
    given: dict[str, Any] = {"asset": "TAO", "wallet": "hot", "kind": "refund", **more}
    at = NOON + timedelta(days=day)
    return Disposal(id="d", units=units, proceeds=proceeds, disposed_at=at, **given)


def three(method: Method) -> LotBook:
    """Ten at 1, ten at 3, ten at 2 a unit."""
    book = LotBook(method, "wallet")
    book.acquire(lot("a", 10, 10, day=0))
    book.acquire(lot("b", 10, 30, day=1))
    book.acquire(lot("c", 10, 20, day=2))
    return book


def taken(matches: tuple[Match, ...]) -> list[tuple[str | None, int, int | None]]:
    return [(it.lot and it.lot.id, it.units, it.cost) for it in matches]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("fifo", [("a", 10, 10), ("b", 5, 15)]),
        ("lifo", [("c", 10, 20), ("b", 5, 15)]),
        ("hifo", [("b", 10, 30), ("c", 5, 10)]),
        ("average", [("a", 10, 20), ("b", 5, 10)]),
        ("specific", [("a", 10, 10), ("b", 5, 15)]),
    ],
)
def test_each_method_takes_the_lots_it_is_named_for(method: Method, expected: object):
    assert taken(three(method).dispose(gone(15))) == expected


def test_the_lots_that_are_named_go_first():
    book = three("specific")
    assert taken(book.dispose(gone(12, lots=("c",)))) == [("c", 10, 20), ("a", 2, 2)]


def test_a_part_of_a_lot_leaves_what_it_rounds_off():
    book = LotBook("fifo", "wallet")
    book.acquire(lot("a", 3, 10))
    assert [taken(book.dispose(gone(1)))[0][2] for _ in range(3)] == [3, 3, 4]


def test_gains_are_shared_as_units_are():
    matches = three("fifo").dispose(gone(15, 100))
    assert [(it.proceeds, it.gain) for it in matches] == [(66, 56), (34, 19)]


def test_what_nobody_had_is_covered_by_no_lot():
    matches = three("fifo").dispose(gone(31))
    assert taken(matches)[-1] == (None, 1, None)
    assert matches[-1].term is None


def test_a_lot_without_a_recorded_price_has_no_gain():
    book = LotBook("fifo", "wallet")
    book.acquire(lot("a", 5, None))
    (match,) = book.dispose(gone(5, 100))
    assert (match.cost, match.gain, match.proceeds) == (None, None, 100)


def test_wallets_are_apart_unless_they_are_not():
    for scope, first in (("wallet", "cold"), ("universal", "hot")):
        book = LotBook("fifo", scope)  # type: ignore[arg-type]
        book.acquire(lot("hot", 5, 5))
        book.acquire(lot("cold", 5, 50, day=1, wallet="cold"))
        assert taken(book.dispose(gone(5, wallet="cold")))[0][0] == first


def test_a_move_between_wallets_keeps_cost_and_age():
    book = LotBook("fifo", "wallet")
    book.acquire(lot("a", 10, 25))
    book.move("TAO", "hot", "cold", 4, NOON + timedelta(days=5))
    (match,) = book.dispose(gone(4, 40, day=400, wallet="cold"))
    assert (match.cost, match.term) == (10, "long")
    assert match.lot is not None
    assert match.lot.acquired_at == NOON
    assert [(it.units, it.cost) for it in book.open_lots()] == [(6, 15)]


def test_what_a_chain_takes_back_never_came():
    book = LotBook("fifo", "wallet")
    book.acquire(lot("a", 5, 5, origin="pi_1"))
    book.acquire(lot("b", 5, 50, day=1, origin="pi_2"))
    assert [it.gain for it in book.take_back("pi_2", gone(5, 999))] == [0]
    assert [it.lot.id for it in book.open_lots()] == ["a"]


@pytest.mark.parametrize(
    ("bought", "sold", "term"),
    [
        ((2024, 3, 1), (2025, 3, 1), "short"),
        ((2024, 3, 1), (2025, 3, 2), "long"),
        ((2024, 2, 29), (2025, 2, 28), "short"),
        ((2024, 2, 29), (2025, 3, 1), "long"),
    ],
)
def test_a_year_and_a_day_is_long(bought: Any, sold: Any, term: str):
    book = LotBook("fifo", "wallet")
    book.acquire(Lot("a", "TAO", "hot", 1, 1, datetime(*bought, tzinfo=UTC)))
    out = Disposal("d", "TAO", "hot", 1, 2, datetime(*sold, tzinfo=UTC), "refund")
    assert book.dispose(out)[0].term == term


def test_lots_and_disposals_have_units():
    with pytest.raises(LotError):
        lot("a", 0, 1)
    with pytest.raises(LotError):
        gone(0)
    book = LotBook("fifo", "wallet")
    book.acquire(lot("a", 1, 1))
    with pytest.raises(LotError):
        book.acquire(lot("a", 1, 1))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("in"), st.integers(1, 10**6), st.none() | st.integers(0, 10**9)),
        st.tuples(st.just("out"), st.integers(1, 10**6), st.none() | st.integers(0, 10**9)),
        st.tuples(st.just("move"), st.integers(1, 10**6), st.none()),
        st.tuples(st.just("back"), st.integers(1, 30), st.none()),
    ),
    max_size=40,
)


@given(steps, st.sampled_from(METHODS), st.sampled_from(["wallet", "universal"]))
def test_units_and_costs_are_never_made_nor_lost(history: Any, method: Method, scope: Any):
    book = LotBook(method, scope)
    units_in = cost_in = units_out = cost_out = 0
    received: dict[str, int] = {}
    for number, (kind, units, money) in enumerate(history):
        wallet = "hot" if number % 2 else "cold"
        if kind == "in":
            book.acquire(
                lot(f"l{number}", units, money, day=number, wallet=wallet, origin=f"o{number}")
            )
            received[f"o{number}"] = units
            units_in, cost_in = units_in + units, cost_in + (money or 0)
            continue
        if kind == "move":
            other = "cold" if wallet == "hot" else "hot"
            book.move("TAO", wallet, other, units, NOON + timedelta(days=number))
            continue
        out = gone(units, money, day=number, wallet=wallet)
        if kind == "back":
            matches = book.take_back(f"o{units}", out)
        else:
            matches = book.dispose(out)
            if money is not None:
                assert sum(it.proceeds or 0 for it in matches) == money
        assert sum(it.units for it in matches) == units
        units_out += sum(it.units for it in matches if it.lot is not None)
        cost_out += sum(it.cost or 0 for it in matches)
    left = list(book.open_lots())
    assert all(it.units > 0 and (it.cost is None or it.cost >= 0) for it in left)
    assert units_in == units_out + sum(it.units for it in left)
    assert cost_in == cost_out + sum(it.cost or 0 for it in left)


priced = st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 10**6)), min_size=1, max_size=12)


@given(priced, st.integers(1, 3000))
def test_hifo_gains_no_more_than_any_other_choice_of_lots(lots: Any, units: int):
    """Of all ways to take so many units, the dearest ones; a cent a lot may be rounded off."""
    total = sum(each for each, _ in lots)
    out = min(units, total)

    def cost(method: Method) -> int:
        book = LotBook(method, "wallet")
        for number, (each, money) in enumerate(lots):
            book.acquire(lot(f"l{number}", each, money, day=number))
        return sum(it.cost or 0 for it in book.dispose(gone(out, day=99)))

    dearest, left = Fraction(0), out
    for each, money in sorted(lots, key=lambda it: -Fraction(it[1], it[0])):
        take = min(left, each)
        dearest += Fraction(money, each) * take
        left -= take
    assert 0 <= dearest - cost("hifo") < 1
    for method in ("fifo", "lifo"):
        assert cost(method) <= dearest  # type: ignore[arg-type]


@given(steps)
def test_the_same_history_gives_the_same_answer(history: Any):
    def told() -> list[Any]:
        book, answers = LotBook("hifo", "wallet"), []
        for number, (kind, units, money) in enumerate(history):
            if kind == "in":
                book.acquire(lot(f"l{number}", units, money, day=number))
            else:
                answers.append(book.dispose(gone(units, money, day=number)))
        return answers

    assert told() == told()


def test_a_lot_that_came_after_a_disposal_does_not_cover_it():
    for method in METHODS:
        book = three(method)
        assert taken(book.dispose(gone(15, day=0)))[-1] == (None, 5, None)
        assert [it.lot.id for it in book.open_lots()] == ["b", "c"]
        assert taken(book.dispose(gone(20, day=3)))[-1][0] is not None


def test_an_average_is_what_it_was_when_a_chain_takes_back_a_lot():
    book = LotBook("average", "wallet")
    book.acquire(lot("a", 10, 10, origin="pi_1"))
    book.acquire(lot("b", 10, 30, day=1, origin="pi_2"))
    book.take_back("pi_2", gone(10))
    assert [(it.lot.id, it.cost) for it in book.open_lots()] == [("a", 10)]


def test_an_average_is_rounded_once_a_disposal_and_not_once_a_lot():
    book = LotBook("average", "wallet")
    for number, cost in enumerate((1, 1, 0, 0, 0)):
        book.acquire(lot(f"l{number}", 1, cost))
    assert sum(it.cost or 0 for it in book.dispose(gone(3))) == 2 * 3 // 5
