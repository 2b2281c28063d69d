"""What came of it, as the ledger says it, checked against what the gateway and the customers know.

All sums are of whole minor units or Decimals; nothing is rounded before it is compared.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from catalogue import METERS, Meter
from ledger import Json, Ledger

from month.billing import EARNED, bought_and_burnt, earned_by
from month.cast import Customer
from month.children import CREDIT_PRICE

ASSETS: Final = ("TAO", "ETH", "SUI", "USDC")
_MILLION: Final = Decimal(1_000_000)
Sums = dict[tuple[str, str], Decimal]  # by account and asset


@dataclass(frozen=True, slots=True)
class Row:
    """A customer, in millionths of a credit."""

    name: str
    plan: str
    calls: int  # in the ledger's books
    granted: int
    bought: int
    bought_and_burnt: int
    burnt: int
    lapsed: int
    left: int
    owed: int
    priced: int  # what the calls cost by the catalogue, worked out here


@dataclass(frozen=True, slots=True)
class Outcome:
    customers: list[Row]
    intents: list[Json]
    invoices: list[Json]
    disposals: list[Json]
    trial: Json
    methods: dict[str, int]  # calls by chain and method
    calls_answered: int
    calls_reported: dict[str, int]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that has to be so, and whether it is."""

    what: str
    is_so: bool
    detail: str = field(default="")


async def gather(
    out: Path, ledger: Ledger, position: int, customers: list[Customer], reported: dict[str, int]
) -> Outcome:
    """Everything as of the position that the files are of."""
    meters = {it["id"]: it["name"] for it in await ledger.list_all("/v1/meters")}
    methods: dict[str, int] = defaultdict(int)
    rows = []
    for it in customers:
        used = await _used(ledger, it)
        for line in used:
            methods[f"{line['group']['chain']} {line['group']['method']}"] += line["items"]
        rows.append(await _row(ledger, position, it, used, meters))
    return Outcome(
        customers=rows,
        intents=await ledger.list_all("/v1/payment_intents"),
        invoices=await ledger.list_all("/v1/invoices"),
        disposals=await ledger.list_all("/v1/disposals"),
        trial=json.loads((out / "trial_balance.json").read_text()),
        methods=dict(methods),
        calls_answered=sum(it.tally.answered for it in customers),
        calls_reported=reported,
    )


async def _used(ledger: Ledger, customer: Customer) -> list[Json]:
    """By meter, month, chain and method."""
    account = await ledger.get(f"/v1/credit_accounts/{customer.account_id}")
    asked = {"from": f"{account['created_at'][:7]}-01T00:00:00Z", "granularity": "month"}
    answer = await ledger.get(
        "/v1/usage", account=customer.account_id, group_by="chain,method", **asked
    )
    found: list[Json] = answer["data"]
    return found


async def _row(
    ledger: Ledger, position: int, customer: Customer, used: list[Json], meters: dict[str, str]
) -> Row:
    path = f"/v1/credit_accounts/{customer.account_id}"
    balance = (await ledger.get(path, as_of=position))["balance"]
    entries = await ledger.list_all(f"{path}/entries")
    bought = sum(
        int(it["amount_minor"])
        for it in entries
        if it["kind"] == "granted" and it["payment_intent_id"]
    )
    months: dict[tuple[str, str], int] = defaultdict(int)
    for line in used:
        months[meters[line["meter_id"]], line["period_start"]] += line["items"]
    by_name = {meter.name: meter for meter in METERS}
    priced = sum(cost(by_name[name], calls) for (name, _), calls in months.items())
    granted, burnt, lapsed, left, owed = (
        int(balance[f"{key}_minor"])
        for key in ("granted", "consumed", "expired", "available", "owed")
    )
    calls = sum(months.values())
    return Row(
        customer.name,
        customer.plan,
        calls,
        granted,
        bought,
        await bought_and_burnt(ledger, customer.account_id),
        burnt,
        lapsed,
        left,
        owed,
        priced,
    )


def cost(meter: Meter, calls: int) -> int:
    """Millionths of a credit for so many calls of a month: each at the price of its tier."""
    sum_, below = Decimal(0), 0
    for up_to, price in meter.tiers:
        end = calls if up_to is None else min(calls, int(up_to))
        sum_ += max(0, end - below) * Decimal(price)
        below = max(below, end)
    return int(sum_ * _MILLION)


def funnel(outcome: Outcome) -> list[tuple[str, int]]:
    """How far the payments came, each step a part of the one before it."""
    intents = outcome.intents
    paid = [it for it in intents if it["transfers"]]
    whole = [it for it in paid if it["status"] == "succeeded"]
    alone = [it for it in whole if "manual" not in it["labels"]]
    steps = {"asked for": intents, "something came": paid, "settled": whole, "by itself": alone}
    return [(step, len(those)) for step, those in steps.items()]


def check(out: Path, outcome: Outcome, proof: subprocess.CompletedProcess[str]) -> list[Check]:
    """All that has to be true."""
    (out / "verify.txt").write_text(proof.stdout + proof.stderr)
    checks = [_credits(row) for row in outcome.customers]
    checks += [_calls(outcome), _receipts(outcome), _wallets(outcome)]
    checks += [
        _trial(outcome),
        *_exported(out, outcome),
        _volumes(out, outcome),
        _earned(out, outcome),
        _revenue(out, outcome),
        _gains(out, outcome),
        _beancount(out),
    ]
    lines = len(proof.stdout.splitlines())
    return [*checks, Check("flamewire verify", proof.returncode == 0, f"{lines} checks")]


def _credits(row: Row) -> Check:
    is_so = row.burnt + row.lapsed + row.left == row.granted + row.owed
    parts = " + ".join(f"{it / 1_000_000:,.2f}" for it in (row.burnt, row.lapsed, row.left))
    return Check(
        f"{row.name}: burnt + lapsed + left = granted, burnt = price of the calls",
        is_so and row.burnt == row.priced > 0,
        f"{parts} = {(row.granted + row.owed) / 1_000_000:,.2f}",
    )


def _calls(outcome: Outcome) -> Check:
    metered = sum(row.calls for row in outcome.customers)
    refused = set(outcome.calls_reported) - {"accepted", "duplicate"}
    return Check(
        "every call that was answered is in the books, once",
        metered == outcome.calls_answered and not refused,
        f"{metered} calls",
    )


def _receipts(outcome: Outcome) -> Check:
    receipts = [it for it in outcome.invoices if it["kind"] == "receipt"]
    sold = sum((Decimal(it["total"]) for it in receipts), Decimal(0))
    bought = sum(row.bought for row in outcome.customers)
    is_so = sold == bought / _MILLION * CREDIT_PRICE
    return Check("receipts = credits that were sold", is_so, f"{sold} USD")


def _wallets(outcome: Outcome) -> Check:
    """All that was sent on the chains is in the wallets, or is known to have left them."""
    came: dict[str, Decimal] = defaultdict(Decimal)
    for intent in outcome.intents:
        for transfer in intent["transfers"]:
            came[transfer["asset"]] += Decimal(transfer["amount"])
    kept: dict[str, Decimal] = defaultdict(Decimal)
    for it in outcome.disposals:
        kept[it["asset"]] += Decimal(it["amount"])
    for it in outcome.trial["valuation"]["accounts"]:
        if it["account"].startswith("assets:wallet:"):
            kept[it["asset"]] += Decimal(it["balance"])
    words = ", ".join(f"{came[it].normalize():f} {it}" for it in ASSETS)
    return Check("sent on chain = in the wallets or sent on, in each asset", came == kept, words)


def _trial(outcome: Outcome) -> Check:
    """In each asset, and in dollars at recorded prices: none is missing."""
    valued = outcome.trial["valuation"]
    is_so = valued["is_balanced"] and not valued["is_partial"] and outcome.trial["is_balanced"]
    return Check("the trial balance balances", is_so, f"{valued['debits']} USD")


def _exported(out: Path, outcome: Outcome) -> list[Check]:
    """Every posting of the export, added up, is the trial balance."""
    sums: Sums = defaultdict(Decimal)
    turnover: dict[str, Decimal] = defaultdict(Decimal)
    with (out / "books.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        amount = Decimal(row["amount_minor"])
        sums[row["debit"], row["asset"]] += amount
        sums[row["credit"], row["asset"]] -= amount
        turnover[row["asset"]] += amount
    told = {
        (it["account"], it["asset_code"]): Decimal(it["balance_minor"])
        for it in outcome.trial["valuation"]["accounts"]
        if Decimal(it["balance_minor"])
    }
    exported = {key: it for key, it in sums.items() if it and key[1] != "CREDIT"}
    lines = {it["asset_code"]: Decimal(it["debits_minor"]) for it in outcome.trial["lines"]}
    issued, granted = -sums["credits:issued", "CREDIT"], sum(it.granted for it in outcome.customers)
    return [
        Check(
            "the exported postings = the trial balance",
            exported == told and dict(turnover) == lines,
            f"{len(rows)} postings",
        ),
        Check(
            "credits in the books = credits of the customers",
            issued == granted,
            f"{issued / _MILLION:,.0f} credits",
        ),
    ]


def _volumes(out: Path, outcome: Outcome) -> Check:
    """What the report of volumes says came and went is what is in the wallets."""
    report = json.loads((out / "reports" / "volumes.json").read_text())
    came: dict[str, Decimal] = defaultdict(Decimal)
    for row in report["rows"]:
        came[row["asset"]] += Decimal(row["in"]) - Decimal(row["out"])
    wallets: dict[str, Decimal] = defaultdict(Decimal)
    for it in outcome.trial["valuation"]["accounts"]:
        if it["account"].startswith("assets:wallet:"):
            wallets[it["asset_code"]] += Decimal(it["balance"])
    return Check("reported volumes = wallets of the trial balance", came == wallets)


def _earned(out: Path, outcome: Outcome) -> Check:
    """Of what was paid for credits, the share of those that are burnt is revenue, and no more."""
    with (out / "events.jsonl").open() as file:
        events = [json.loads(line) for line in file]
    earned = earned_by(it for it in events if it["type"] == EARNED)
    burnt = sum(row.bought_and_burnt for row in outcome.customers)
    return Check(
        "credits that are earned = credits that were bought and burnt",
        earned == burnt > 0,
        f"{earned / _MILLION:,.2f} credits",
    )


def _revenue(out: Path, outcome: Outcome) -> Check:
    """What the report of revenue says is what the income accounts have, in units and in dollars."""
    report = json.loads((out / "reports" / "revenue.json").read_text())
    told: Sums = defaultdict(Decimal)
    values: dict[str, Decimal] = defaultdict(Decimal)
    for row in report["rows"]:
        told[row["account"], row["asset"]] -= Decimal(row["amount"])
        values[row["account"]] -= Decimal(row["value"])
    accounts = [
        it
        for it in outcome.trial["valuation"]["accounts"]
        if it["account"].startswith("income:") and it["account"] != "income:realised_gains"
    ]
    booked = {(it["account"], it["asset_code"]): Decimal(it["balance"]) for it in accounts}
    valued: dict[str, Decimal] = defaultdict(Decimal)
    for it in accounts:
        valued[it["account"]] += Decimal(it["value"])
    return Check(
        "reported revenue = income of the trial balance",
        told == booked and values == valued,
        f"{-sum(values.values())} USD",
    )


def _gains(out: Path, outcome: Outcome) -> Check:
    """Books carry what they hold at what it cost on average; so does one way to count lots."""
    lots = json.loads((out / "reports" / "tax_lots_average.json").read_text())
    gains = sum((Decimal(it["gain"] or "NaN") for it in lots["disposals"]), Decimal(0))
    booked = outcome.trial["valuation"]["realised_gains"]
    return Check("gains by lots = gains in the books", gains == Decimal(booked), f"{booked} USD")


def _beancount(out: Path) -> Check:
    beside = Path(sys.executable).with_name("bean-check")
    done = subprocess.run(
        [str(beside) if beside.exists() else "bean-check", str(out / "books.beancount")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Check("bean-check accepts the books", done.returncode == 0, done.stderr[:80])


def write_summary(out: Path, outcome: Outcome, checks: list[Check]) -> None:
    """The tables, for a program."""
    summary = {
        "customers": [asdict(row) for row in outcome.customers],
        "funnel": dict(funnel(outcome)),
        "labels": sorted({label for it in outcome.intents for label in it["labels"]}),
        "calls_answered": outcome.calls_answered,
        "calls_reported": outcome.calls_reported,
        "checks": {it.what: it.is_so for it in checks},
    }
    (out / "outcome.json").write_text(json.dumps(summary, indent=2))
