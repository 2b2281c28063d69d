"""The guides to credits: what they show is asked, in their order, and answered so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_credit_accounts import account
from tests.api.world import World

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCK = re.compile(r"```(http|json)\n(.*?)```", re.DOTALL)


def contains(answer: Any, shown: Any) -> bool:
    """Whether the answer has all that is shown of it; lists are shown whole."""
    if isinstance(shown, dict):
        return all(name in answer and contains(answer[name], it) for name, it in shown.items())
    if isinstance(shown, list):
        return len(answer) == len(shown) and all(map(contains, answer, shown))
    return bool(answer == shown)


@pytest.mark.parametrize("page", ["explain-a-balance.md", "recurring-grants-and-top-ups.md"])
async def test_a_guide_does_what_it_says(ledger: World, page: str) -> None:
    names = {
        "{account}": (await account(ledger)).rpartition("/")[2],
        "{other}": (await account(ledger)).rpartition("/")[2],
    }
    answer: Any = None
    shown = 0
    for kind, text in BLOCK.findall((GUIDES / page).read_text()):
        for name, value in names.items():
            text = text.replace(name, value)
        if kind == "json":
            assert contains(answer, json.loads(text)), (text, answer)
            shown += 1
            continue
        line, _, body = text.partition("\n")
        method, _, path = line.partition(" ")
        asked = ledger.get(path) if method == "GET" else ledger.post(path, json.loads(body))
        response = await asked
        assert response.status_code in (200, 201), response.text
        answer = response.json()
    assert shown >= 3
