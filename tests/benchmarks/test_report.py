"""The figures as a page and a picture; and what a figure says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.benchmarks.__main__ import Outcome, document, notes, table
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.machine import description
from scripts.benchmarks.report import BEGIN, END, PAGE, write_report

FIGURES = [
    ("batch", Figure("batches", 21_000, "commands/s", 50_000, "COPY", 20_000, low=1, high=2)),
    ("batch", Figure("lag | late", 2.5, "s", 1, "worst", 1, less_is_better=True, note="oh")),
    ("hot", Figure("hot", 70, "commands/s", 100, "spread", ratio_target=0.6)),
    ("start", Figure("no aim", 7, "ms", 7, "p50")),
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    made = tmp_path / "performance.md"
    made.write_text(f"# Words\n\n{BEGIN}\nold\n{END}\n\nMore words.\n")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "figures.json"
    measured = document(description(), Outcome(FIGURES, {"query": "no Redis"}))
    made.write_text(json.dumps(measured))
    return made


def test_figures_are_put_between_the_marks(page: Path, file: Path):
    assert write_report([file], page) == 0
    text = page.read_text()
    assert text.startswith(f"# Words\n\n{BEGIN}")
    assert text.endswith(f"{END}\n\nMore words.\n")
    assert "old" not in text
    assert "| batches | 21 000 commands/s (1 – 2) | ≥ 20,000 | COPY: 50 000 | 0.42 |" in text
    assert "lag \\| late [1] | 2.5 s | ≤ 1 **missed**" in text
    assert "[1] oh" in text
    assert "≥ 0.6 × reference" in text
    assert "2 of 3 aims are met" in text
    assert "**query failed:** no Redis" in text
    assert description()["processor"] in text


def test_of_several_files_the_last_that_has_a_benchmark_says_it(
    tmp_path: Path, page: Path, file: Path
):
    again = [("hot", Figure("hot", 50, "commands/s", 100, "spread", ratio_target=0.6))]
    mended = [("query", Figure("balances", 4_001, "requests/s", 8_000, "empty", 4_000))]
    later = tmp_path / "later.json"
    later.write_text(json.dumps(document(description(), Outcome([*again, *mended]))))
    assert write_report([file, later], page) == 0
    text = page.read_text()
    assert "| hot | 50 commands/s" in text
    assert "| hot | 70" not in text
    assert "| batches | 21 000 commands/s" in text
    assert "### Queries" in text
    assert "query failed" not in text
    assert "2 of 4 aims are met" in text


def test_figures_of_another_python_are_not_put_beside_these(
    tmp_path: Path, page: Path, file: Path, capsys: pytest.CaptureFixture[str]
):
    before = page.read_text()
    other = tmp_path / "other.json"
    machine = {**description(), "python": "3.9.0"}
    other.write_text(json.dumps(document(machine, Outcome(FIGURES))))
    assert write_report([file, other], page) == 2
    assert "python" in capsys.readouterr().err
    assert page.read_text() == before


def test_the_picture_is_an_image_and_the_same_each_time(page: Path, file: Path):
    write_report([file], page)
    picture = page.with_name("performance.svg")
    first = picture.read_bytes()
    assert ElementTree.fromstring(first).tag.endswith("svg")
    write_report([file], page)
    assert picture.read_bytes() == first


def test_a_page_without_a_place_is_left_alone(tmp_path: Path, file: Path):
    page = tmp_path / "page.md"
    page.write_text("# Words\n")
    assert write_report([file], page) == 2
    assert page.read_text() == "# Words\n"
    assert write_report([file, tmp_path / "missing.json"], page) == 2


def test_the_reference_has_a_place_for_figures():
    text = PAGE.read_text()
    assert text.index(BEGIN) < text.index(END)


def test_an_aim_may_be_for_the_value_the_ratio_or_both():
    both = Figure("x", 4_000, "commands/s", 10_000, "empty", 3_500, ratio_target=0.45)
    assert both.is_met is False
    assert Figure("x", 5_000, "commands/s", 10_000, "empty", 3_500, ratio_target=0.45).is_met
    assert Figure("x", 5_000, "commands/s", 10_000, "empty").is_met is None
    assert both.aim == "≥ 3,500, ≥ 0.45 × reference"


def test_people_get_a_table():
    outcome = Outcome(FIGURES)
    assert table(outcome).row_count == len(FIGURES)
    assert notes(outcome) == ["lag | late: oh"]


def test_of_many_figures_alike_the_picture_has_the_nearest_to_its_aim(page: Path, file: Path):
    many = [
        ("project", Figure(f"model {at}", 50_000 + at, "events/s", 10, "row by row", 40_000))
        for at in range(20)
    ]
    file.write_text(json.dumps(document(description(), Outcome([*many, *FIGURES]))))
    assert write_report([file], page) == 0
    picture = page.with_name("performance.svg").read_text()
    assert "model 0: the nearest of 20" in picture
    assert "model 1" not in picture
    assert "model 19" in page.read_text()
