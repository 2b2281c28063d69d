"""`flamewire chains`: how every chain and its follower do, and reading blocks again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.chains.chain import EndpointReport
from flamewire_ledger.cli import sweep
from flamewire_ledger.cli.faults import NOT_SO
from flamewire_ledger.cli.output import print_json, print_rows, progress_bar, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.processes.rescanning import Rescanned
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.chain_status import ChainStatus, chain_statuses
from flamewire_ledger.wiring.rescans import chain_called
from flamewire_ledger.wiring.rescans import rescan as run_rescan

app = typer.Typer(
    help="Chains: status, rescan, sweep, factory, unseen.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("sweep")(sweep.sweep)
app.command("factory")(sweep.factory)
app.command("unseen")(sweep.unseen)
_DataDir = Annotated[Path | None, typer.Option()]
_Json = Annotated[bool, typer.Option("--json")]
_STATUS: tuple[str, ...] = (
    "name", "chain_id", "mode", "followed", "head", "lag_blocks", "lag_seconds", "finalized",
    "held_up", "followed_by", "standing_by", "endpoints", "reason",
)  # fmt: skip
_COUNTS = ("blocks", "found", "new", "known", "earlier", "refused", "doubted")


@app.command("status")
def status(as_json: _Json = False, data_dir: _DataDir = None) -> int:
    """Every chain: how far it is, how far it is followed and by whom, and how its endpoints do.

    Exit code 1 when a chain does not answer or nobody follows it.
    """

    async def action(ledger: Ledger) -> list[ChainStatus]:
        return list(await chain_statuses(ledger))

    statuses = visit(action, data_dir=data_dir)
    if as_json:
        print_json([_document(each) for each in statuses])
    else:
        print_rows(_STATUS, [_row(each) for each in statuses], as_json=False)
    return 0 if all(each.is_well for each in statuses) else NOT_SO


def _document(status: ChainStatus) -> dict[str, object]:
    return {
        **asdict(status),
        "lag_blocks": status.lag_blocks,
        "endpoints": [asdict(each) for each in status.endpoints],
    }


def _row(status: ChainStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "chain_id": status.chain_id,
        "mode": "live" if status.livemode else "test",
        "followed": status.followed_height,
        "head": status.head_height,
        "lag_blocks": status.lag_blocks,
        "lag_seconds": status.lag_seconds,
        "finalized": status.finalized_height,
        "held_up": status.held_up,
        "followed_by": status.followed_by or "nobody",
        "standing_by": status.standing_by,
        "endpoints": "; ".join(_endpoint(each) for each in status.endpoints),
        "reason": status.reason,
    }


def _endpoint(report: EndpointReport) -> str:
    height = "" if report.height is None else f" at {report.height}"
    reason = f": {report.reason}" if report.reason else ""
    return f"{report.number} {report.state}{height}{reason}"


@app.command("rescan")
def rescan(
    network: Annotated[str, typer.Argument(help="Its name, or its CAIP-2 id.")],
    first: Annotated[int, typer.Option("--from", min=0, help="The first block.")],
    last: Annotated[int, typer.Option("--to", min=0, help="The last block; it has to be final.")],
    as_json: _Json = False,
    data_dir: _DataDir = None,
) -> int:
    """Read final blocks again, and book what our addresses received there and is not booked yet.

    Exit code 1 when a transfer was refused, or too few endpoints say that it is there.
    """

    async def action(ledger: Ledger) -> Rescanned:
        chain = chain_called(ledger, network)
        with progress_bar(f"rescan {chain.network.name}") as progress:
            return await run_rescan(ledger, chain, first, last, progress)

    told = visit(action, data_dir=data_dir)
    print_rows(_COUNTS, [asdict(told)], as_json=as_json)
    if told.refused or told.doubted:
        say("Some transfers were not taken in: the log above says which and why.")
        return NOT_SO
    return 0
