"""The report of a reconciliation, as JSON and as CSV: made of what was recorded, so that the same run
gives the same bytes whenever it is asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from flamewire_ledger.api.rendering import signed, time
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.reconciliation import AssetPosition
from flamewire_ledger.domain.reconciliation.matching import TO_DO
from flamewire_ledger.exports.text import cell

Row = Mapping[str, Any]


def report_of(run: Row, exceptions: Sequence[Row], *, livemode: bool) -> dict[str, Any]:
    """A row of `reconciliations`, and those of the exceptions that it found."""
    completed = run["completed"]
    at: datetime = run["completed_at"]
    return {
        **summary_of(run, livemode=livemode),
        "log": [
            {"partition": it["partition"], "position": it["position"], "merkle_root": it["root"]}
            for it in completed["log"]
        ],
        "assets": [_asset(AssetPosition(**it)) for it in completed["positions"]],
        "payments": {it["standing"]: it["count"] for it in completed["standings"]},
        "exceptions": [exception_of(row, at, as_found=True) for row in exceptions],
        "code_version": completed["code_version"],
    }


def summary_of(run: Row, *, livemode: bool) -> dict[str, Any]:
    """As a list shows it."""
    completed = run["completed"]
    return {
        "id": run["reconciliation_id"],
        "object": "reconciliation",
        "livemode": livemode,
        "network": run["network"],
        "chain_id": run["chain_id"],
        "first_block": run["first_height"],
        "block": run["height"],
        "block_hash": completed["pin"]["hash"],
        "block_at": completed["pin"]["at"],
        "has_drift": run["drift"],
        "matched": completed["matched"],
        "found": run["found"],
        "opened": run["opened"],
        "settled": run["settled"],
        "completed_at": time(run["completed_at"]),
        "position": run["position"],
    }


def _asset(it: AssetPosition) -> dict[str, Any]:
    asset = Asset(it.asset, it.decimals)
    held = None if it.held_units is None else int(it.held_units)
    chain: dict[str, Any] = {
        **signed("opening", asset, int(it.chain_opening_units)),
        **signed("in", asset, int(it.chain_in_units)),
        **signed("out", asset, int(it.chain_out_units)),
        **signed("fees", asset, int(it.chain_fee_units)),
        **signed("closing", asset, it.chain_closing),
    }
    if held is not None:
        chain |= signed("held", asset, held)
    return {
        "asset": asset.symbol,
        "asset_code": asset.code,
        "chain": chain,
        "ledger": {
            **signed("opening", asset, int(it.ledger_opening_units)),
            **signed("in", asset, int(it.ledger_in_units)),
            **signed("out", asset, int(it.ledger_out_units)),
            **signed("fees", asset, int(it.ledger_fee_units)),
            **signed("closing", asset, it.ledger_closing),
        },
        **signed("drift", asset, it.drift),
        **signed("left_untold", asset, int(it.untold_units)),
    }


def exception_of(row: Row, at: datetime, *, as_found: bool = False) -> dict[str, Any]:
    """Its age is at a time; `as_found` leaves out what was decided about it."""
    opened = row["opened"]
    code, decimals = opened["asset"], opened["decimals"]
    asset = None if code is None or decimals is None else Asset(code, decimals)
    shown = {
        "id": row["exception_id"],
        "object": "reconciliation_exception",
        "reconciliation_id": row["reconciliation_id"],
        "network": row["network"],
        "chain_id": row["chain_id"],
        "kind": row["kind"],
        "subject": row["subject"],
        "stream_id": opened["concerns"],
        "address": opened["address"],
        "asset_code": code,
        **_units("expected", asset, opened["expected_units"]),
        **_units("found", asset, opened["found_units"]),
        "found_instead": opened["found"],
        "block": opened["height"],
        "block_hash": opened["block_hash"],
        "since": time(row["since"]),
        "age_seconds": max(0, int((at - row["since"]).total_seconds())),
        "opened_at": time(row["opened_at"]),
        "to_do": TO_DO[row["kind"]],
    }
    if as_found:
        return shown
    return {
        **shown,
        "status": "open" if row["settled"] is None else "settled",
        "settled": row["settled"],
        "reason": row["reason"],
        "resolved_at": time(row["resolved_at"]),
        "position": row["position"],
    }


def _units(name: str, asset: Asset | None, units: str | None) -> dict[str, str | None]:
    """In major units where it is an amount; a payment's share is in parts per million."""
    if units is None:
        return {name: None, f"{name}_minor": None}
    if asset is None:
        return {name: f"{units} ppm", f"{name}_minor": units}
    return dict(signed(name, asset, int(units)))


def csv_of(report: Mapping[str, Any]) -> bytes:
    """Long rows of `section, subject, name, value`: the same columns for all that a report says."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("section", "subject", "name", "value"))
    writer.writerows(_rows(report))
    return text.getvalue().encode()


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, value in report.items():
        if not isinstance(value, list | dict):
            yield "run", report["id"], name, _cell(value)
    for pin in report["log"]:
        for name in ("position", "merkle_root"):
            yield "log", str(pin["partition"]), name, _cell(pin[name])
    for asset in report["assets"]:
        for side in ("chain", "ledger"):
            for name, value in asset[side].items():
                yield side, _cell(asset["asset_code"]), name, _cell(value)
        for name in ("drift", "left_untold"):
            yield "drift", _cell(asset["asset_code"]), name, asset[name]
    for standing, count in report["payments"].items():
        yield "payments", standing, "count", str(count)
    for exception in report["exceptions"]:
        for name, value in exception.items():
            if name not in ("id", "object"):
                yield "exception", exception["id"], name, _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(cell(str(value)))
