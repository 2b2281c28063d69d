"""Charts: the same report is the same picture, and everything in it has room."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flamewire_ledger.exports.chart import _AXES, Picture, _bars, _span, _texts, _unpriced, drawn
from flamewire_ledger.exports.report import BUCKETS, NAMES

pytest.importorskip("matplotlib")
LONG = "sui:0x5d4b302506645c37ff133b98c4b50a5ae14841659738d6d733d59d0d217a93bf::coin::COIN"


def report(name: str, *rows: dict[str, Any]) -> dict[str, Any]:
    axis, names, values = _AXES[name]
    empty = {**dict.fromkeys((axis, *names), "x"), **dict.fromkeys(values, "1.00")}
    shown = [{**empty, **row} for row in rows]
    return {"report": name, "as_of": 7, "currency": "USD", "rows": shown}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_report_is_the_same_picture(name: str) -> None:
    picture: Picture = "png" if name == "funnel" else "svg"
    assert drawn(report(name, {}), picture) == drawn(report(name, {}), picture)


def test_a_report_without_rows_says_so() -> None:
    assert drawn(report("mrr"), "svg") != drawn(report("mrr", {}), "svg")


def test_what_has_no_price_is_not_said_to_be_nothing() -> None:
    rows = [
        {"month": "m", "asset": "ALPHA", "value": "0.00", "unvalued_postings": 2},
        {"month": "m", "asset": "TAO", "value": "1.00", "unvalued_postings": 1},
        {"month": "m", "asset": "ETH", "value": "0.00", "unvalued_postings": 0},
    ]
    shown = report("volumes", *rows)
    assert _unpriced(shown) == {("ALPHA", "m")}
    priced = report("volumes", *({**row, "unvalued_postings": 0} for row in rows))
    assert drawn(shown, "svg") != drawn(priced, "svg")


def test_a_long_name_keeps_both_of_its_ends() -> None:
    _, bars = _bars(report("volumes", {"asset": LONG}))
    (name,) = bars
    assert re.match(r"sui:0x\w+….*::COIN\Z", name)
    assert len(name) < 30


def test_the_largest_are_drawn_and_the_others_together() -> None:
    rows = [{"month": "m", "asset": f"a{number}", "value": str(number)} for number in range(40)]
    _, bars = _bars(report("volumes", *rows))
    assert list(bars) == ["a35", "a36", "a37", "a38", "a39", "others"]
    assert bars["others"] == {"m": sum(range(35))}


@pytest.mark.parametrize(("height", "other"), [(-9.0, 80.0), (-80.0, -9.0), (9.0, 80.0)])
def test_there_is_room_for_what_is_written_at_the_end_of_each_bar(height: float, other: float):
    low, high = _span({"in": {"2026-11": height, "2026-12": other}})
    room = 0.1 * (high - low)
    assert low == 0 or low <= min(height, other) - room
    assert high == 0 or high >= max(height, other) + room
    assert low <= 0 <= high


def test_ages_stand_in_their_order_also_where_nothing_waits() -> None:
    places, bars = _bars(report("exceptions", {"bucket": BUCKETS[4]}, {"bucket": BUCKETS[0]}))
    assert tuple(places) == BUCKETS
    assert bars == {"x": {BUCKETS[4]: 1.0, BUCKETS[0]: 1.0}}


@pytest.mark.parametrize(
    ("months", "written"),
    [(2, "840,003.50"), (12, "840k"), (60, "")],
    ids=["full", "short", "none"],
)
def test_what_is_written_above_a_bar_does_not_run_into_the_next(months: int, written: str) -> None:
    rows = [{"month": f"{number:04}", "value": "840003.5"} for number in range(months)]
    shown = report("revenue", *rows)
    (texts,) = _texts(shown, *_bars(shown)).values()
    assert set(texts) == {written}
