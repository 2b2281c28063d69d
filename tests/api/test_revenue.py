"""What was paid for credits is revenue when they are burnt, at the worth it came with, in every book."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.wiring.roles import processes
from tests.api.test_exports import balances, exported, valuation
from tests.api.test_portfolio import WAYS, arrive, due
from tests.api.world import World

DEFERRED, SALES, BREAKAGE = "liabilities:deferred_credits", "income:sales", "income:breakage"


async def react(ledger: World) -> None:
    letters = MemoryDeadLetters()
    reactions = Reactions(ledger.store, ledger.codec, ledger.writer)
    await Reactor(ledger.store, reactions, processes(), MemoryCheckpoints(), letters).catch_up(0)
    assert letters.letters == {}


async def bought(ledger: World) -> tuple[str, dict[str, Any]]:
    """An account with the credits of a payment in TAO."""
    account = (await ledger.post("/v1/credit_accounts", {"name": "a reader"})).json()["id"]
    body = {"amount": "25.00", "currency": "USD", "pay_with": WAYS, "credit_account_id": account}
    made = (await ledger.post("/v1/payment_intents", body)).json()
    await arrive(ledger, made, "bittensor", due(made, "bittensor"))
    await react(ledger)
    return account, made


async def burn(ledger: World, account: str, part: Decimal) -> None:
    read = (await ledger.get(f"/v1/credit_accounts/{account}")).json()
    amount = f"{Decimal(read['balance']['available']) * part:.6f}"
    answer = await ledger.post(f"/v1/credit_accounts/{account}/consume", {"amount": amount})
    assert answer.status_code == 200, answer.text


async def day_ends(ledger: World) -> int:
    """How many accounts were asked to close it."""
    ledger.clock.turn(days=1)
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 5)
    closed = await Deadlines(ledger.reads, ledger.writer, {False: ledger.clock}).sweep(
        livemode=False
    )
    await react(ledger)
    return closed


async def revenue(ledger: World) -> dict[tuple[str, str], str]:
    """Value by month and by what it was earned with."""
    answer = await ledger.get("/v1/reports/revenue")
    assert answer.status_code == 200, answer.text
    rows = answer.json()["rows"]
    assert all(row["unvalued_postings"] == 0 for row in rows)
    return {(row["month"], row["earned_with"]): row["value"] for row in rows}


async def test_credits_that_are_burnt_are_revenue_at_what_was_paid_for_them(ledger: World):
    account, made = await bought(ledger)
    await burn(ledger, account, Decimal("0.5"))
    assert await revenue(ledger) == {}
    ledger.quotes["TAO"] = Decimal("9999")

    assert await day_ends(ledger) == 1
    assert await day_ends(ledger) == 0

    # The clock says February: it is January that has burnt them. Half of an odd number is rounded down.
    assert await revenue(ledger) == {("2026-01", "credits_burnt"): "12.49"}
    held = await balances(ledger)
    paid = due(made, "bittensor")
    assert held[SALES, "bittensor:TAO"] == -(paid // 2)
    assert held[DEFERRED, "bittensor:TAO"] == -(paid - paid // 2)
    told = {it["account"]: it["value"] for it in (await valuation(ledger))["accounts"]}
    assert (told[SALES], told[DEFERRED]) == ("-12.49", "-12.51")
    entries = (await ledger.get("/v1/ledger/entries", account=SALES)).json()["data"]
    assert [(it["debit"], it["credit"]) for it in entries] == [(DEFERRED, SALES)]
    assert entries[0]["event_type"] == "payment.revenue_recognised.v1"


async def test_a_used_up_purchase_leaves_nothing_deferred_and_the_report_is_the_trial_balance(
    ledger: World, tmp_path: Path
):
    account, _ = await bought(ledger)
    for part in ("0.333333", "0.5", "1"):
        await burn(ledger, account, Decimal(part))
        await day_ends(ledger)

    assert (DEFERRED, "bittensor:TAO") not in await balances(ledger)
    assert await revenue(ledger) == {
        ("2026-01", "credits_burnt"): "8.33",
        ("2026-02", "credits_burnt"): "16.67",
    }
    told = await valuation(ledger)
    income = {it["account"]: Decimal(it["value"]) for it in told["accounts"]}
    assert (told["is_balanced"], income[SALES], income[DEFERRED]) == (True, Decimal(-25), 0)
    path = tmp_path / "books.beancount"
    path.write_bytes(await exported(ledger, "beancount"))
    checked = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", path], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_what_is_refunded_of_a_purchase_is_no_revenue(ledger: World):
    account, made = await bought(ledger)
    await burn(ledger, account, Decimal("0.25"))
    grant = (await ledger.get(f"/v1/credit_accounts/{account}")).json()["grants"][0]["id"]
    answer = await ledger.post(f"/v1/credit_accounts/{account}/grants/{grant}/refund", {})
    assert answer.status_code in (200, 201), answer.text

    await day_ends(ledger)

    held, paid = await balances(ledger), due(made, "bittensor")
    assert await revenue(ledger) == {("2026-01", "credits_burnt"): "6.25"}
    assert (DEFERRED, "bittensor:TAO") not in held
    payable = paid * 3 // 4
    assert held["liabilities:refunds_payable", "bittensor:TAO"] == -payable
    assert held[SALES, "bittensor:TAO"] == -(paid - payable)
