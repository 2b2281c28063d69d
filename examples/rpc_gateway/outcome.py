"""What came of it: read from the ledger, written to files, and checked against what the gateway and
the customers know.

All sums are of whole minor units or Decimals; nothing is rounded before it is compared.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from cast import Customer
from children import CREDIT_PRICE, LedgerProgram
from ledger import Json, Ledger

ASSETS: Final = ("TAO", "ETH", "SUI", "USDC")


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
    payments: int
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


async def gather(ledger: Ledger, spool: Path, customers: list[Customer]) -> Outcome:
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
    """By the asset that paid: receipts for credits, and invoices that were paid on chain."""
    found = {asset: Revenue(asset, 0, Decimal(0), Decimal(0)) for asset in ASSETS}
    for usd, settled in _payments(invoices):
        before = found[settled["asset"]]
        found[settled["asset"]] = Revenue(
            settled["asset"],
            before.payments + 1,
            before.amount + Decimal(settled["amount"]),
            before.usd + usd,
        )
    return list(found.values())


def _payments(invoices: list[Json]) -> list[tuple[Decimal, Json]]:
    """(worth, what paid it); every payment of this demonstration is in one asset."""
    found: list[tuple[Decimal, Json]] = []
    for invoice in invoices:
        if invoice["kind"] == "receipt":
            (settled,) = invoice["settled_with"]
            found.append((Decimal(invoice["total"]), settled))
            continue
        for payment in invoice["payments"]:
            (settled,) = payment["settled_with"]
            found.append((Decimal(payment["amount"]), settled))
    return found


def funnel(outcome: Outcome) -> list[tuple[str, int]]:
    """How far the payments came, each step a part of the one before it."""
    intents = outcome.intents
    paid = [it for it in intents if it["transfers"]]
    whole = [it for it in paid if it["status"] == "succeeded"]
    alone = [it for it in whole if "manual" not in it["labels"]]
    steps = {"asked for": intents, "something came": paid, "settled": whole, "by itself": alone}
    return [(step, len(those)) for step, those in steps.items()]


def check(out: Path, outcome: Outcome, program: LedgerProgram) -> list[Check]:
    """All that has to be true."""
    checks = [
        Check(
            f"{row.name}: burnt + lapsed + left = granted",
            row.burnt + row.lapsed + row.left == row.granted and row.burnt == row.gateway_burnt,
            " + ".join(f"{it / 1_000_000:,.2f}" for it in (row.burnt, row.lapsed, row.left))
            + f" = {row.granted / 1_000_000:,.2f}",
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
    receipts = [it for it in outcome.invoices if it["kind"] == "receipt"]
    sold = sum((Decimal(it["total"]) for it in receipts), Decimal(0))
    worth = Decimal(outcome.purchased) / 1_000_000 * CREDIT_PRICE
    checks.append(Check("receipts = credits sold", sold == worth, f"{sold} USD"))
    issued = sum(row.granted for row in outcome.customers)
    checks.append(
        Check(
            "credits in the books = credits of the customers",
            _on(outcome, "credits:issued").get("CREDIT") == Decimal(issued) / 1_000_000,
            f"{issued / 1_000_000:,.0f} credits",
        )
    )
    checks += [_wallets(outcome), *_books(out, outcome)]
    proof = program.flamewire("verify")
    (out / "verify.txt").write_text(proof.stdout + proof.stderr)
    checks.append(
        Check("flamewire verify", proof.returncode == 0, f"{len(proof.stdout.splitlines())} checks")
    )
    return checks


def _wallets(outcome: Outcome) -> Check:
    """All that came is in the wallets, and is revenue or owed back."""
    came: dict[str, Decimal] = defaultdict(Decimal)
    for intent in outcome.intents:
        for transfer in intent["transfers"]:
            came[transfer["asset"]] += Decimal(transfer["amount"])
    owed = _on(outcome, "liabilities:refunds_payable")
    unapplied = _on(outcome, "liabilities:customer_unapplied")
    used = {
        it.asset: it.amount + owed.get(it.asset, Decimal(0)) + unapplied.get(it.asset, Decimal(0))
        for it in outcome.revenue
    }
    return Check(
        "sent on chain = wallets = revenue + owed back, in each asset",
        dict(came) == _on(outcome, "assets:wallet:") == used,
        ", ".join(f"{amount.normalize():f} {asset}" for asset, amount in used.items()),
    )


def _books(out: Path, outcome: Outcome) -> list[Check]:
    """The trial balance, and what another program says of the export."""
    balances = Check("the trial balance balances", outcome.trial_balance["is_balanced"])
    beside = Path(sys.executable).with_name("bean-check")
    done = subprocess.run(
        [str(beside) if beside.exists() else "bean-check", str(out / "books.beancount")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [balances, Check("bean-check accepts the books", done.returncode == 0, done.stderr[:80])]


def _on(outcome: Outcome, account: str) -> dict[str, Decimal]:
    """Balances by asset of the accounts whose names begin so."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for it in outcome.balances:
        if it["account"].startswith(account) and Decimal(it["balance"]):
            found[it["asset"]] += Decimal(it["balance"])
    return dict(found)


def write_summary(out: Path, outcome: Outcome, checks: list[Check]) -> None:
    """The tables, for a program."""
    summary = {
        "customers": [asdict(row) for row in outcome.customers],
        "paid": {it.asset: {"payments": it.payments, "usd": str(it.usd)} for it in outcome.revenue},
        "funnel": dict(funnel(outcome)),
        "labels": sorted({label for it in outcome.intents for label in it["labels"]}),
        "calls_answered": outcome.calls_answered,
        "checks": {it.what: it.is_so for it in checks},
    }
    (out / "outcome.json").write_text(json.dumps(summary, indent=2))


async def write(out: Path, outcome: Outcome, ledger: Ledger) -> None:
    """Invoices, books and the log, as files."""
    folder = out / "invoices"
    folder.mkdir(exist_ok=True)
    for invoice in outcome.invoices:
        pdf = await ledger.get_bytes(f"/v1/invoices/{invoice['id']}.pdf")
        (folder / f"{invoice['number']}.pdf").write_bytes(pdf)
    for name in ("beancount", "hledger", "csv"):
        books = await ledger.get_bytes(f"/v1/exports/{name}")
        (out / f"books.{name}").write_bytes(books)
    (out / "trial_balance.json").write_text(json.dumps(outcome.trial_balance, indent=2))
    events = [json.dumps(event) + "\n" async for event in ledger.events()]
    (out / "events.jsonl").write_text("".join(events))
