"""The guide to exports: what it shows is what is answered, and what it names is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import typer

from flamewire_ledger.billing.chart import CHART
from flamewire_ledger.cli.commands import app
from flamewire_ledger.exports.formats import FORMATS
from tests.api.test_portfolio import arrive, due, intent
from tests.api.world import World

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "guides/export-the-books.md").read_text()
CHART_PAGE = (DOCS / "reference/chart-of-accounts.md").read_text()


async def test_the_guide_shows_what_is_answered(ledger: World):
    made = await intent(ledger)
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    answer = await ledger.get("/v1/ledger/trial_balance", valuation="USD")
    assert answer.json()["valuation"] == json.loads(shown)
    file = (await ledger.get("/v1/exports/beancount")).text
    for block in re.findall(r"```beancount\n(.*?)```", PAGE, re.DOTALL):
        assert block in file


def test_the_commands_of_the_guide_are_understood():
    command = typer.main.get_command(app)
    lines = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in lines for line in block.splitlines()]
    assert len(commands) == 3
    for line in commands:
        program, name, *arguments = shlex.split(line)
        assert program == "flamewire"
        found = command.get_command(None, name)  # type: ignore[attr-defined, arg-type]
        if name == "report":
            found, arguments = found.get_command(None, arguments[0]), arguments[1:]
        found.make_context(name, arguments)  # raises for what it does not understand


def test_the_guide_names_every_format():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(FORMATS)


def test_the_chart_on_the_page_is_the_chart():
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| (\w+) \| (.*) \|$", CHART_PAGE, re.MULTILINE)
    assert rows == [(it.account, it.kind, it.normal_side, it.meaning) for it in CHART]
