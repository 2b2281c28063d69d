"""The command line as an operator meets it: one sentence for each error, an exit code, whole rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from flamewire_ledger.cli.commands import run
from flamewire_ledger.store.migrate import migrate
from tests.services.postgres import Databases


@pytest.fixture
def ledger(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = databases.create()
    asyncio.run(migrate(url))
    monkeypatch.setenv("FLAMEWIRE_DATABASE_URL", url)
    yield url
    databases.drop(url)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["projection", "rebuild", "nope"], 2, "there is no projection 'nope'"),
        (["projection", "diff", "nope"], 2, "there is no projection 'nope'"),
        (["dlq", "show", "1"], 1, "flamewire dlq list"),
        (["dlq", "retry", "1"], 1, "flamewire dlq list"),
        (["dlq", "discard", "1"], 1, "flamewire dlq list"),
        (["keys", "list"], 3, "flamewire serve projector"),  # it has never run here
        (["sandbox", "pay", "pi_nope"], 2, "pi_nope"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    ledger: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
):
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_a_database_that_does_not_answer_is_one_sentence_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FLAMEWIRE_DATABASE_URL", "postgresql://me:open-sesame@127.0.0.1:1/none")
    assert run(["verify"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "FLAMEWIRE_DATABASE_URL" in err
    assert "sesame" not in err


@pytest.mark.parametrize(
    "arguments", [["serve"], ["serve", "nope"], ["dlq", "show", "x"], ["replay", "--format", "xml"]]
)
def test_wrong_use_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--help" in err
    assert "Value error" not in err


def test_a_group_alone_shows_its_help_and_nothing_behind_it(capsys: pytest.CaptureFixture[str]):
    assert run(["sandbox"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "advance" in err
    assert "see `" not in err


def test_a_row_is_one_line_where_nobody_looks(ledger: str, capsys: pytest.CaptureFixture[str]):
    scopes = ["--scope", "payments:read", "--scope", "payments:write"]
    assert run(["keys", "create", "--name", "shop", *scopes]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("fw_test_")
    run(["replay", "--format", "jsonl"])
    recorded = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    run(["replay"])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 1 + len(recorded)
    for event, row in zip(recorded, rows[1:], strict=True):
        assert event["stream_id"] in row
        assert event["type"] in row
        assert event["metadata"]["recorded_at"] in row


@pytest.mark.parametrize("wanted", ["merchant.registered.v1", "merchant.registered"])
def test_replay_narrows_to_a_type_in_one_version_or_all(
    ledger: str, capsys: pytest.CaptureFixture[str], wanted: str
):
    run(["keys", "create", "--name", "shop"])
    capsys.readouterr()
    assert run(["replay", "--type", wanted, "--format", "jsonl"]) == 0
    shown = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["merchant.registered.v1"]
