"""`flamewire export` and `flamewire report` on a random history: what they write holds together."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flamewire_ledger.cli.commands import run
from flamewire_ledger.domain.merchant import merchant_id_of
from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.queries import journal
from flamewire_ledger.settings import read_settings
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.keys import create_key
from flamewire_ledger.wiring.operator import operate
from tests.projector.stories import Stories, record
from tests.services.postgres import Databases


async def rebuild(url: str) -> None:
    async with open_ledger(read_settings(), url) as ledger, operate(ledger) as operator:
        for projection in ledger.catalog:
            await operator.read_side.rebuild(projection.name)


async def tell(url: str, seed: int) -> None:
    """What happens to a shop that is called sandbox, and to another one."""
    ours = merchant_id_of("sandbox", livemode=False)
    async with open_ledger(read_settings(), url) as ledger:
        await create_key(ledger, name="sandbox", scopes=("*",), livemode=False)
        stories = Stories(seed)
        told = [it for it in stories.tell(500) if it.stream_id not in ("mer_0", "mer_1")]
        renamed = [
            replace(it, merchant_id=ours) if it.merchant_id == "mer_1" else it for it in told
        ]
        await record(ledger.store, renamed)


@pytest.fixture(scope="module")
def history(databases: Databases) -> Iterator[str]:
    url = databases.create()

    async def make() -> None:
        await migrate(url)
        await tell(url, 23)
        await rebuild(url)

    asyncio.run(make())
    yield url
    databases.drop(url)


@pytest.fixture(autouse=True)
def ledger(history: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FLAMEWIRE_DATABASE_URL", history)
    return history


def exported(name: str, path: Path, *options: str) -> bytes:
    assert run(["export", name, "-o", str(path), *options]) == 0
    return path.read_bytes()


def test_bean_check_accepts_what_a_random_history_led_to(tmp_path: Path):
    path = tmp_path / "books.beancount"
    assert exported("beancount", path).count(b"\n20") > 50
    checked = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", path], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", FORMATS)
def test_a_rebuild_and_another_size_of_page_change_no_byte(
    name: str, tmp_path: Path, ledger: str, monkeypatch: pytest.MonkeyPatch
):
    before = exported(name, tmp_path / "before")
    asyncio.run(rebuild(ledger))
    for rows, streams in ((1000, 5000), (7, 3), (1, 1)):
        monkeypatch.setattr(journal, "_PAGE_ROWS", rows)
        monkeypatch.setattr(journal, "_STREAMS_MAX", streams)
        assert exported(name, tmp_path / "after") == before


def test_the_books_at_a_position_are_the_beginning_of_the_books(tmp_path: Path):
    everything = exported("csv", tmp_path / "all").decode().splitlines()
    part = exported("csv", tmp_path / "part", "--as-of", "200").decode().splitlines()
    assert 1 < len(part) < len(everything)
    assert everything[: len(part)] == part


def test_without_a_file_it_goes_to_stdout_and_words_to_stderr(
    capfdbinary: pytest.CaptureFixture[bytes],
):
    assert run(["export", "csv"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"position,line,at,")
    assert b"The books at position" in err


def test_the_tax_report_is_json_or_csv(capsys: pytest.CaptureFixture[str]):
    assert run(["report", "tax", "--year", "2026", "--lots"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lots"]
    assert "no tax advice" in told["notice"]
    assert run(["report", "tax", "--year", "2026", "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0][:3] == ["description", "date_acquired", "date_disposed"]


def test_no_unit_is_lost_between_the_books_and_the_lots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(["report", "tax", "--year", "2026", "--lots", "--scope", "universal"]) == 0
    lots = json.loads(capsys.readouterr().out)["lots"]
    held: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(exported("csv", tmp_path / "all").decode())):
        for side, sign in (("debit", 1), ("credit", -1)):
            if row[side].startswith("assets:wallet:"):
                held[row["asset"]] = held.get(row["asset"], 0) + sign * int(row["amount_minor"])
    left: dict[str, int] = {}
    for lot in lots:
        left[lot["asset"]] = left.get(lot["asset"], 0) + int(lot["units"])
    assert left == {asset: units for asset, units in held.items() if units}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "abacus"], "--help"),
        (["export", "csv", "--as-of", "yesterday"], "--as-of takes a time"),
        (["export", "csv", "--as-of", "99999999"], "the last position is"),
        (["export", "csv", "--merchant", "nobody"], "keys list"),
        (["export", "csv", "--currency", "XXY"], "ISO 4217"),
        (["export", "csv", "-o", "/nowhere/books"], "cannot be written"),
        (["report", "tax"], "--help"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
