"""`flamewire archive` as an operator meets it, on a ledger with history, read models and small segments."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flamewire_ledger.cli.commands import run
from flamewire_ledger.settings import read_settings
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.operator import operate
from tests.projector.stories import Stories, record
from tests.services.postgres import Databases
from tests.store.test_segments import ask, segments

GUIDE = Path(__file__).parents[2] / "docs" / "operate" / "archive.md"
READ_MODELS = ("account_balance", "audit_trail", "credit_balance", "payment_status")


@pytest.fixture(scope="module")
def history(databases: Databases) -> Iterator[str]:
    """The name of a database whose log is some segments of 64 events, with every read model built."""
    url = databases.create()

    async def tell() -> None:
        await migrate(url, segment_events=64)
        async with open_ledger(read_settings(), url) as ledger:
            stories = Stories(seed=7)
            while await ledger.store.head(0) < 200:
                await record(ledger.store, stories.tell(20))
            async with operate(ledger) as operator:
                for projection in ledger.catalog:
                    await operator.read_side.rebuild(projection.name)

    asyncio.run(tell())
    yield url.rsplit("/", 1)[1]
    databases.drop(url)


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
def ledger(
    databases: Databases, history: str, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    url = databases.create(template=history)
    monkeypatch.setenv("FLAMEWIRE_DATABASE_URL", url)
    monkeypatch.setenv("FLAMEWIRE_ARCHIVE_DIR", str(archives))
    yield url
    databases.drop(url)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict]:
    """The rows that a command prints as JSON."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["replay", "--json", *arguments]) == 0
    return capsys.readouterr().out


def test_an_archived_ledger_is_read_rebuilt_verified_and_restored_as_before(
    ledger: str, archives: Path, capsys: pytest.CaptureFixture[str]
):
    before = replayed(capsys)
    middle = json.loads(before.splitlines()[90])
    as_of = ("--as-of", middle["metadata"]["recorded_at"])
    then = replayed(capsys, *as_of)
    made = printed(capsys, "archive", "create", "--keep-last", "64")
    assert [row["last"] for row in made] == [64, 128]
    assert segments(ledger)[0] == "events_0_129"
    assert printed(capsys, "archive", "list") == made
    assert replayed(capsys) == before
    assert replayed(capsys, *as_of) == then
    assert replayed(capsys, "--stream", middle["stream_id"])
    for name in READ_MODELS:
        assert run(["projection", "diff", name]) == 0
    assert run(["projection", "rebuild", "audit_trail"]) == 0
    checks = printed(capsys, "verify")
    assert checks[0] == {
        "check": "archives are as written",
        "count": 2,
        "ok": True,
        "detail": "",
    }
    assert printed(capsys, "archive", "restore", "--after", "64")[0]["first"] == 65
    assert run(["archive", "restore", "--all"]) == 0
    assert replayed(capsys) == before
    assert segments(ledger)[0] == "events_0_1"


def test_an_altered_archive_is_found_and_named(
    ledger: str, archives: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(["archive", "create", "--before", "65"]) == 0
    (events,) = (f for f in archives.glob("*.jsonl.zst") if ".streams" not in f.name)
    good = events.read_bytes()
    events.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    (row,) = printed(capsys, "archive", "verify", code=1)
    assert not row["ok"]
    assert events.name in row["detail"]
    (check,) = printed(capsys, "verify", code=1)
    assert (check["check"], check["ok"]) == ("archives are as written", False)
    capsys.readouterr()
    assert run(["replay", "--json"]) == 1
    events.unlink()
    assert run(["replay", "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(events.name) == 2
    assert "FLAMEWIRE_ARCHIVE_DIR" in err
    events.write_bytes(good)
    assert run(["archive", "verify"]) == 0


def test_a_read_model_that_is_behind_holds_segments_back_and_is_named(
    ledger: str, capsys: pytest.CaptureFixture[str]
):
    ask(
        ledger,
        "UPDATE projection_checkpoints SET position = 70 WHERE name = 'credit_balance' RETURNING 1",
    )
    assert run(["archive", "create", "--keep-last", "0"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "credit_balance is at 70" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["archive", "create", "--before", "9", "--keep-last", "9"],
        ["archive", "restore"],
        ["archive", "restore", "--all", "--after", "3"],
        ["archive", "create", "--before", "0"],
    ],
)
def test_wrong_use_is_one_sentence(
    ledger: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_the_guide_does_what_it_says(ledger: str, capsys: pytest.CaptureFixture[str]):
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = "".join(blocks).splitlines()
    assert "flamewire archive create" in commands
    for command in commands:
        assert run(command.split()[1:]) == 0, command
    assert segments(ledger)[0] == "events_0_1"
