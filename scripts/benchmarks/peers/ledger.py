"""The ledger as a contender: `flamewire serve api`, one process, asked over HTTP by another."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.store.migrate import migrate
from scripts.benchmarks.load.accounts import open_accounts
from scripts.benchmarks.load.plan import Plan, Result
from scripts.benchmarks.load.process import LoadProcess
from scripts.benchmarks.load.verify import head_of, require_sound, verify
from scripts.benchmarks.peers.contender import Contender, Measured, processor_seconds
from scripts.benchmarks.running import RunningLedger, api_only

_ACCOUNTS: Final = 1_000
_SINGLE_CONNECTIONS: Final = 64
# Commands a request, and requests in flight: more of them only wait.
_BATCHES: Final = {100: 8, 1_000: 4}
# Nothing else is recorded while a run lasts; verify() looks at every command, its amount and account.
_RECORDED: Final = "SELECT sum(head), sum(head), sum(head) FROM partitions"
_ROW_BYTES: Final = (
    "SELECT avg(pg_column_size(e.*)) FROM"
    " (SELECT * FROM events WHERE type = 'credit_account.consumed.v1' LIMIT 1000) AS e"
)


@contextmanager
def contenders(server: EmbeddedPostgres) -> Iterator[list[Contender]]:
    """One command a request, and batches of 100 and 1 000."""
    asyncio.run(migrate(server.url))
    with api_only(server=server) as ledger:
        with ledger.client() as client:
            accounts = open_accounts(client, _ACCOUNTS)
        yield [
            _contender(ledger, accounts, 1, _SINGLE_CONNECTIONS),
            *(_contender(ledger, accounts, batch, many) for batch, many in _BATCHES.items()),
        ]


def row_bytes(server: EmbeddedPostgres) -> int:
    """How large our rows in `events` are on average, once there are some."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute(_ROW_BYTES).fetchone()
    assert row is not None
    assert row[0] is not None, "the ledger runs first"
    return int(row[0])


def _contender(
    ledger: RunningLedger, accounts: list[str], batch: int, connections: int
) -> Contender:
    def measure(seconds: float) -> Measured:
        plan = Plan(
            addresses=ledger.addresses,
            work="consume" if batch == 1 else "consume_batch",
            prefix=secrets.token_hex(6),
            key=ledger.key,
            merchant_id=ledger.merchant_id,
            accounts=accounts,
            batch=batch,
            connections=connections,
            warm_up_seconds=min(0.5, seconds / 2),
            seconds=seconds,
        )
        return _measured(ledger.database_url, plan)

    return Contender(
        key="ledger" if batch == 1 else f"ledger {batch}",
        label=f"ledger, {batch} a request, {connections} connections",
        url=ledger.database_url,
        recorded=_RECORDED,
        measure=measure,
    )


def _measured(url: str, plan: Plan) -> Measured:
    head = head_of(url)
    with LoadProcess(plan) as load:
        load.wait_for("measuring")
        before = processor_seconds()
        load.wait_for("draining")
        spent = processor_seconds() - before
        result: Result = load.result()
    require_sound(result)
    verify(url, [result], after=head, read_models=False)
    rate = result.commands_per_second
    done = rate * (result.ended_at - result.began_at)
    return Measured(rate, result.acknowledged, spent / max(done, 1) * 1e6)
