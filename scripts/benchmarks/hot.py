"""Everything on one account: each command is decided on the state that the one before it left.

The reference is the same load spread over many accounts, on the same API, in turns with it.
"""

from __future__ import annotations

import statistics
from typing import Final

from scripts.benchmarks.batch import CONNECTIONS
from scripts.benchmarks.figure import Figure, spread
from scripts.benchmarks.insert_reference import COMMANDS
from scripts.benchmarks.measuring import prepared
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, api_only

SECONDS: Final = 8.0
_SHARE_OF_SPREAD: Final = 0.6


def run(options: Options) -> list[Figure]:
    with api_only() as ledger:
        return measure(ledger, options.lasting(SECONDS))


def measure(ledger: RunningLedger, options: Options) -> list[Figure]:
    session = prepared(ledger, options)
    hot: list[float] = []
    cool: list[float] = []
    for _ in range(options.runs):
        for rates, accounts in ((cool, session.accounts), (hot, session.accounts[:1])):
            plan = session.plan(
                "consume_batch", batch=COMMANDS, connections=CONNECTIONS, accounts=accounts
            )
            measured = session.load("hot" if rates is hot else "spread", plan)
            rates.append(measured.result.commands_per_second)
    session.prove(read_models=False)
    return [
        Figure(
            "batches of 1 000, all on one account",
            unit="commands/s",
            reference=statistics.median(cool),
            reference_name=f"spread over {len(session.accounts):,} accounts",
            ratio_target=_SHARE_OF_SPREAD,
            note=measured.note,
            **spread(hot),
        )
    ]
