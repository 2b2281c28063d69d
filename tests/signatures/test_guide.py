"""The guide does what it says: its commands print what is shown, and its requests are answered so."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from flamewire_ledger.cli.commands import run
from flamewire_ledger.signatures.scheme import Reason
from tests.api.world import world

PAGE = (Path(__file__).parents[2] / "docs/guides/verify-a-signature.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```\s+```text\n(.*?)```", PAGE, re.DOTALL)
EXCHANGES = re.findall(r"```json\n(.*?)```\s+```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "output"), COMMANDS)
def test_a_command_prints_what_the_guide_shows(
    command: str, output: str, capsys: pytest.CaptureFixture[str]
):
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    assert program == "flamewire"
    assert run(arguments) == (1 if output.startswith("invalid") else 0)
    assert capsys.readouterr().out == output


@pytest.mark.parametrize(("asked", "answered"), EXCHANGES)
async def test_a_request_is_answered_as_the_guide_shows(asked: str, answered: str):
    async with world() as ledger:
        answer = await ledger.post("/v1/signatures/verify", json.loads(asked), once=None)
        assert answer.json() == json.loads(answered)


def test_the_guide_shows_both_and_names_only_reasons_there_are():
    assert len(COMMANDS) == 5
    assert len(EXCHANGES) == 2
    named = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", PAGE))
    others = {"personal_message", "typed_data", "node_unavailable", "eth_sign"}
    assert named - others <= {reason.value for reason in Reason}
