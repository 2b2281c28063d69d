"""`flamewire verify`: is all of it true? Each check with its count; exit code 1 when one is not so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.archive import archives_check
from flamewire_ledger.cli.faults import NOT_SO
from flamewire_ledger.cli.output import print_rows, progress_bar, say
from flamewire_ledger.cli.session import operation
from flamewire_ledger.wiring.operator import Operator


def verify(
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> int:
    """Positions gapless, versions contiguous, postings balanced, read models equal to a rebuild."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        archives, are_whole = await archives_check(operator)
        if not are_whole:
            return [archives]  # what is in them cannot be read, and all the rest is made of it
        with progress_bar("verify") as progress:
            checks = await operator.read_side.verify(progress)
        return [archives] + [
            {"check": check.name, "count": check.count, "ok": check.ok, "detail": check.detail}
            for check in checks
        ]

    rows = operation(action, data_dir=data_dir)
    shown = rows if as_json else [{**row, "ok": "ok" if row["ok"] else "NOT SO"} for row in rows]
    print_rows(("check", "count", "ok", "detail"), shown, as_json=as_json)
    if all(row["ok"] for row in rows):
        say("All of it is true.")
        return 0
    say(
        "Something is not so: `flamewire projection diff NAME` shows the rows of a read model that differ."
    )
    return NOT_SO
