"""`flamewire credits`: where each digit of a balance comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from flamewire_ledger.api.credit_explanations import fill, rendered
from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, print_table, say
from flamewire_ledger.cli.replay import as_time
from flamewire_ledger.cli.session import visit
from flamewire_ledger.domain.credit_account.explaining import Explanation
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.wiring import Ledger

app = typer.Typer(help="Credits: explain.", no_args_is_help=True, rich_markup_mode=None)
LINES_MAX: Final = 1000
_GRANT_COLUMNS: Final = (
    "id", "source", "expires_at", "granted", "transferred_in", "burnt", "settled", "held",
    "expired", "reversed", "transferred_out", "available", "events",
)  # fmt: skip


@app.callback()
def credit_commands() -> None:
    """Credits: explain."""


@app.command("explain")
def explain(
    account: Annotated[str, typer.Argument(help="A credit account, ca_….")],
    as_of: Annotated[
        str | None, typer.Option(help="A position, or an RFC 3339 time; now when absent.")
    ] = None,
    grant: Annotated[str | None, typer.Option(help="Only lines that touch this grant.")] = None,
    period: Annotated[
        str, typer.Option(help="Only what happened in it: 2026, 2026-11 or 2026-11-22.")
    ] = "",
    days: Annotated[bool, typer.Option("--days", help="Sums by day instead of month.")] = False,
    lines: Annotated[int, typer.Option(min=0, max=LINES_MAX, help="How many lines.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Lines behind this position.")] = 0,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """The events and the arithmetic behind each digit of a balance."""
    if not is_id("ca", account):
        raise CommandError("Say a credit account, such as ca_….", WRONG_USE)
    explanation = Explanation(
        days=days, grant_id=grant, period=period, after=after, lines_max=lines
    )  # fmt: skip

    async def action(ledger: Ledger) -> dict[str, Any]:
        for partition in range(ledger.store.partitions):
            first = await ledger.store.read_stream(partition, account, limit=1)
            if not first:
                continue
            position = await _position(ledger, partition, as_of)
            decode = ledger.codec.decode
            await fill(explanation, ledger.store, decode, partition, account, position)
            if explanation.state is not None and as_of is None:
                merchant = await ledger.reads.merchant(first[0].merchant_id)
                livemode = merchant is not None and merchant["livemode"]
                explanation.until(ledger.now_of(livemode=livemode)())
            return {**rendered(explanation, account), "position": position}
        raise CommandError(f"There is no credit account {account}.", 1)

    shown = visit(action, data_dir=data_dir)
    if as_json:
        print_json(shown)
    else:
        _show(shown)


async def _position(ledger: Ledger, partition: int, as_of: str | None) -> int:
    head = await ledger.store.head(partition)
    if as_of is None:
        return head
    if as_of.isascii() and as_of.isdigit():
        return min(int(as_of), head)
    return await ledger.store.position_at(partition, as_time(as_of))


def _show(shown: dict[str, Any]) -> None:
    say(f"{shown['credit_account_id']} at position {shown['position']}")
    rows: list[tuple[object, ...]] = []
    for digit in shown["digits"]:
        rows.append((digit["part"], "", "", digit["amount"]))
        rows += [("", it["kind"], it["events"], it["amount"]) for it in digit["terms"]]
    print_table(("balance", "by", "events", "credits"), rows)
    say("Grants")
    grants = [[grant[name] for name in _GRANT_COLUMNS] for grant in shown["grants"]]
    print_table(_GRANT_COLUMNS, grants)
    say("Periods")
    periods = [(it["period"], it["events"], _moves(it["changes"])) for it in shown["periods"]]
    print_table(("period", "events", "changes"), periods)
    say("Lines")
    lines = [
        (it["position"], it["created_at"], it["kind"], it["reference"], _moves(it["changes"]))
        for it in shown["lines"]
    ]
    print_table(("position", "at", "event", "reference", "changes"), lines)
    if shown["has_more"]:
        say(f"More with --after {shown['lines'][-1]['position'] if lines else 0}.")


def _moves(changes: list[dict[str, str]]) -> str:
    return ", ".join(f"{it['part']} {it['amount']}" for it in changes)
