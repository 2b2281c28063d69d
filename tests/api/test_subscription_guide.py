"""The guide to subscriptions: what it shows is asked and answered so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.api.subscribing import Shop
from tests.api.world import World

PAGE = (Path(__file__).parents[2] / "docs/guides/sell-subscriptions.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


async def told(ledger: World) -> list[Any]:
    """Everything that the guide shows, asked and answered now."""
    shop = Shop(ledger)
    offered = SHOWN[0]
    made = await ledger.post("/v1/plans", offered, once="plan-1")
    assert made.status_code == 201, made.text
    account = (await ledger.post("/v1/credit_accounts", {}, once="account-1")).json()["id"]
    asked = {"credit_account_id": account, "plan": "pro"}
    subscription = (await ledger.post("/v1/subscriptions", asked, once="subscription-1")).json()
    await shop.settle()
    upcoming = await shop.upcoming(subscription)
    return [offered, {**asked, "credit_account_id": "ca_…"}, subscription, upcoming]


async def test_the_guide_shows_what_is_answered(ledger: World):
    assert await told(ledger) == SHOWN


async def test_three_months_at_once_are_what_the_guide_says(ledger: World):
    shop = Shop(ledger)
    (seconds,) = re.findall(r'"advance_seconds": (\d+)', PAGE)
    await ledger.post("/v1/plans", {**SHOWN[0], "due_days": 90})
    await shop.subscribe()
    await shop.later(int(seconds))
    assert len(await shop.invoices()) == 3


def test_the_guide_names_every_action():
    assert set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)) >= {
        "change_plan",
        "pause",
        "resume",
        "cancel",
    }
