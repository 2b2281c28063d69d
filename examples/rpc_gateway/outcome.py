"""What came of it: read from the ledger, written to files, and checked against what the gateway and
the customers know.

All sums are of whole minor units or Decimals; nothing is rounded before it is compared.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from cast import Customer
from children import LedgerProgram
from ledger import Json, Ledger

ASSETS = ("TAO", "ETH", "SUI", "USDC")


@dataclass(frozen=True, slots=True)
class Row:
    """A customer, in millionths of a credit."""

    name: str
    plan: str
    calls: int
    granted: int
    bought: int
    burnt: int
    lapsed: int
    left: int
    gateway_burnt: int  # by the gateway's own count


@dataclass(frozen=True, slots=True)
class Revenue:
    """What came in one asset."""

    asset: str
    receipts: int
    amount: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    customers: list[Row]
    revenue: list[Revenue]
    intents: list[Json]
    invoices: list[Json]
    trial_balance: Json
    balances: list[Json]
    methods: dict[str, tuple[int, int]]  # calls, millionths of credits
    purchased: int = 0
    calls_answered: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Something that has to be so, and whether it is."""

    what: str
    is_so: bool
    detail: str = field(default="")


async def gather(
    ledger: Ledger, program: LedgerProgram, spool: Path, customers: list[Customer]
) -> Outcome:
    """Everything, from the ledger's read models at its newest position."""
    own: dict[str, int] = defaultdict(int)
    calls: dict[str, int] = defaultdict(int)
    methods: dict[str, tuple[int, int]] = {}
    with sqlite3.connect(spool) as db:
        for account, method, count, micro in db.execute("SELECT * FROM burnt"):
            own[account] += micro
            calls[account] += count
            known = methods.get(method, (0, 0))
            methods[method] = known[0] + count, known[1] + micro
    rows = []
    for it in customers:
        account = await ledger.get(f"/v1/credit_accounts/{it.account_id}")
        entries = await ledger.list_all(f"/v1/credit_accounts/{it.account_id}/entries")
        balance = account["balance"]
        bought = sum(
            int(entry["amount_minor"])
            for entry in entries
            if entry["kind"] == "granted" and entry["payment_intent_id"]
        )
        granted, burnt, lapsed, left = (
            int(balance[f"{key}_minor"]) for key in ("granted", "consumed", "expired", "available")
        )
        rows.append(
            Row(it.name, it.plan, calls[it.account_id], granted, bought, burnt, lapsed, left,
                own[it.account_id])
        )  # fmt: skip
    invoices = await ledger.list_all("/v1/invoices")
    return Outcome(
        customers=rows,
        revenue=_revenue(invoices),
        intents=await ledger.list_all("/v1/payment_intents"),
        invoices=invoices,
        trial_balance=await ledger.get("/v1/ledger/trial_balance"),
        balances=await ledger.list_all("/v1/balances"),
        methods=methods,
        purchased=sum(row.bought for row in rows),
        calls_answered=sum(it.tally.answered for it in customers),
    )


def _revenue(invoices: list[Json]) -> list[Revenue]:
    """By the asset that paid; every receipt of this demonstration was paid in one."""
    found = {asset: Revenue(asset, 0, Decimal(0), Decimal(0)) for asset in ASSETS}
    for invoice in invoices:
        (settled,) = invoice["settled_with"]
        before = found[settled["asset"]]
        found[settled["asset"]] = Revenue(
            settled["asset"],
            before.receipts + 1,
            before.amount + Decimal(settled["amount"]),
            before.usd + Decimal(invoice["total"]),
        )
    return list(found.values())


def check(out: Path, outcome: Outcome, program: LedgerProgram) -> list[Check]:
    """All that has to be true."""
    checks = [
        Check(
            f"{row.name}: burnt + lapsed + left = granted, as the gateway counted",
            row.burnt + row.lapsed + row.left == row.granted and row.burnt == row.gateway_burnt,
            f"{row.burnt} + {row.lapsed} + {row.left} = {row.granted}",
        )
        for row in outcome.customers
    ]
    metered = sum(row.calls for row in outcome.customers)
    checks.append(
        Check(
            "every call that was answered is in the books, once",
            metered == outcome.calls_answered,
            f"{metered} calls",
        )
    )
    receipts = sum((it.usd for it in outcome.revenue), Decimal(0))
    worth = Decimal(outcome.purchased) / 1_000_000 / 100
    checks.append(Check("receipts = credits sold", receipts == worth, f"{receipts} USD"))
    issued = sum(row.granted for row in outcome.customers)
    checks.append(
        Check("credits in the books = credits of the customers", _issued(outcome) == issued)
    )
    checks.append(Check("the trial balance balances", outcome.trial_balance["is_balanced"]))
    proof = program.flamewire("verify")
    (out / "verify.txt").write_text(proof.stdout + proof.stderr)
    checks.append(Check("flamewire verify", proof.returncode == 0, _last_line(proof.stdout)))
    return checks


def _issued(outcome: Outcome) -> int:
    return sum(
        int(it["balance_minor"]) for it in outcome.balances if it["account"] == "credits:issued"
    )


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


async def write(out: Path, outcome: Outcome, ledger: Ledger, program: LedgerProgram) -> None:
    """Invoices, books and the log, as files."""
    folder = out / "invoices"
    folder.mkdir(exist_ok=True)
    for invoice in outcome.invoices:
        pdf = await ledger.get_bytes(f"/v1/invoices/{invoice['id']}.pdf")
        (folder / f"{invoice['number']}.pdf").write_bytes(pdf)
    (out / "trial_balance.json").write_text(json.dumps(outcome.trial_balance, indent=2))
    replay = program.flamewire("replay", "--format", "jsonl")
    (out / "events.jsonl").write_text(replay.stdout)
