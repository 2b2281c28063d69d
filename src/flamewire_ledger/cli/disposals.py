"""`flamewire disposals`: what left the wallets by hand is written down, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, assert_never

import msgspec
import typer
from pydantic import ValidationError

from flamewire_ledger.api.disposals import PREFIX, answered, of_row, recording
from flamewire_ledger.api.models.disposals import RecordDisposal
from flamewire_ledger.cli.export import Live, Merchant
from flamewire_ledger.cli.faults import SERVICE_MISSING, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, print_rows, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.commands import disposal as commands
from flamewire_ledger.commands.decider import Contended, Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.queries.disposals import READ_MODEL
from flamewire_ledger.queries.pages import Page
from flamewire_ledger.store.event_store import partition_of
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.books import journal_of, moment_of

app = typer.Typer(help="Disposals: record, list.", no_args_is_help=True, rich_markup_mode=None)
_DataDir = Annotated[Path | None, typer.Option()]
_COLUMNS = ("id", "made_at", "kind", "network", "asset", "amount", "proceeds", "reference")


@app.command("record")
def record(
    kind: Annotated[str, typer.Argument(help="sale, withdrawal, fee or refund.")],
    amount: Annotated[str, typer.Argument(help="How much, such as 1.5.")],
    asset: Annotated[str, typer.Argument(help="Of what, such as TAO.")],
    network: Annotated[str, typer.Option(help="From the wallet on which network.")],
    once: Annotated[
        str, typer.Option(help="A name of its own: with the same one it is recorded once.")
    ],
    proceeds: Annotated[
        str | None, typer.Option(help='What a sale brought, net: "450.00 USD".')
    ] = None,
    lot: Annotated[
        list[str] | None, typer.Option(help="A lot it is taken from; may be given again.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Of the sale or transaction.")] = None,
    at: Annotated[str | None, typer.Option(help="When it happened, RFC 3339; else now.")] = None,
    merchant: Merchant = "sandbox",
    live: Live = False,
    data_dir: _DataDir = None,
) -> None:
    """Write down what left a wallet, outside of this ledger. Nothing is sent by it."""
    given = {
        "kind": kind, "amount": amount, "asset": asset, "network": network,
        "proceeds": _proceeds(proceeds), "lots": lot or [], "reference": reference, "made_at": at,
    }  # fmt: skip
    try:
        body = RecordDisposal.model_validate_json(msgspec.json.encode(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = " ".join(str(each) for each in first["loc"])
        raise CommandError(f"{name}: {first['msg']}.", WRONG_USE) from None

    async def action(ledger: Ledger) -> dict[str, Any]:
        return await _record(ledger, body, once, merchant=merchant, livemode=live)

    print_json(visit(action, data_dir=data_dir))


def _proceeds(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    amount, _, currency = text.strip().partition(" ")
    return {"amount": amount, "currency": currency.strip()}


async def _record(
    ledger: Ledger, body: RecordDisposal, once: str, *, merchant: str, livemode: bool
) -> dict[str, Any]:
    moment = await moment_of(ledger, merchant=merchant, livemode=livemode)
    now = ledger.now_of(livemode=livemode)()
    name = command_id("disposal", moment.merchant_id, once)
    origin = Origin(name, moment.merchant_id, "cli", fingerprint=body.model_dump_json().encode())
    partition = partition_of(moment.merchant_id, ledger.store.partitions)
    known = await ledger.store.find_commands(partition, [name])
    if name in known and known[name].fingerprint == origin.fingerprint:
        return _told(known[name].answer, known[name].position)
    command = await recording(
        ledger.reads,
        journal_of(ledger, moment, with_credits=False),
        [it for it in ledger.chains if it.network.livemode == livemode],
        moment,
        body,
        disposal_id=derived_id(PREFIX, now, str(name)),
        at=now,
    )
    async with ledger.writing() as writer:
        outcome = await writer.submit(commands.envelope(origin, command, answered))
    match outcome:
        case Done():
            return _told(outcome.answer, outcome.position)
        case Rejection():
            raise outcome
        case Contended():
            raise CommandError("Others wrote at the same time: say it again.", SERVICE_MISSING)
        case _:
            assert_never(outcome)


def _told(answer: bytes | None, position: int) -> dict[str, Any]:
    return {**msgspec.json.decode(answer or b"{}"), "position": position}


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the last first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    merchant: Merchant = "sandbox",
    live: Live = False,
    data_dir: _DataDir = None,
) -> None:
    """What was recorded, the last first."""

    async def action(ledger: Ledger) -> list[dict[str, Any]]:
        moment = await moment_of(ledger, merchant=merchant, livemode=live)
        found = await ledger.reads.listing(READ_MODEL, Page(limit), merchant_id=moment.merchant_id)
        return [of_row(row) for row in found.rows]

    rows = visit(action, data_dir=data_dir)
    for row in rows:
        brought = row["proceeds"]
        row["proceeds"] = brought and f"{brought['amount']} {brought['currency']}"
    print_rows(_COLUMNS, rows, as_json=as_json)
    say(f"{len(rows)} disposals.")
