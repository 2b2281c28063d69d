"""What a business takes out of its ledger: invoices, reports, charts, books and the log, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ledger import Json, Ledger

REPORTS: Final = ("revenue", "volumes", "funnel", "finality", "breakage", "mrr", "exceptions")
METHODS: Final = ("fifo", "lifo", "average")  # of the report for the tax office
BOOKS: Final = ("beancount", "hledger", "csv")


async def take_out(out: Path, ledger: Ledger) -> int:
    """Everything as of one position, which is returned."""
    position = int((await ledger.get("/v1/reports/funnel"))["as_of"])
    for folder in ("invoices", "reports"):
        (out / folder).mkdir(exist_ok=True)
    trial = await ledger.get("/v1/ledger/trial_balance", valuation="USD", as_of=position)
    _write(out / "trial_balance.json", trial)
    for name in BOOKS:
        books = await ledger.get_bytes(f"/v1/exports/{name}", as_of=position)
        (out / f"books.{name}").write_bytes(books)
    for file in (f"{name}.{kind}" for name in REPORTS for kind in ("json", "csv", "svg", "png")):
        path = f"/v1/reports/{file.removesuffix('.json')}"
        (out / "reports" / file).write_bytes(await ledger.get_bytes(path, as_of=position))
    year = trial["valuation"]["valued_at"][:4]
    for method in METHODS:
        asked = {"year": year, "method": method, "lots": "true", "as_of": position}
        lots = await ledger.get("/v1/reports/tax_lots", **asked)
        _write(out / "reports" / f"tax_lots_{method}.json", lots)
    for kind in ("invoices", "credit_notes"):
        for it in await ledger.list_all(f"/v1/{kind}"):
            pdf = await ledger.get_bytes(f"/v1/{kind}/{it['id']}.pdf")
            (out / "invoices" / f"{it['number']}.pdf").write_bytes(pdf)
    events = [json.dumps(event) + "\n" async for event in ledger.events()]
    (out / "events.jsonl").write_text("".join(events))
    return position


def _write(path: Path, content: Json) -> None:
    path.write_text(json.dumps(content, indent=2))
