"""The programs of `scale`: a writer on one partition, and a projector that shares partitions.

`python -m scripts.benchmarks.scale_work write URL PARTITION SECONDS` prints what it did as JSON;
`… project URL` says `ready`, begins when it is told `go`, and prints its processor time when it is
told anything more.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import uvloop

from flamewire_ledger.commands.credit_account import envelope
from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    CreditAccountCommand,
    GrantCredits,
    OpenCreditAccount,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import partition_of
from flamewire_ledger.store.postgres import PostgresEventStore
from flamewire_ledger.store.shares import PostgresShares

PARTITIONS: Final = 4
_ACCOUNTS: Final = 1_000
_CLIENTS: Final = 40
_COMMANDS: Final = 25  # of a client at once


def main() -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    if sys.argv[1] == "write":
        answer = uvloop.run(_write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    else:
        answer = uvloop.run(_project(sys.argv[2]))
    json.dump(answer, sys.stdout)


async def _project(url: str) -> dict[str, float]:
    async with PostgresEventStore(url) as store, write_pool(url) as pool:
        connections = Connections(url, size_max=2)
        shares = PostgresShares(connections, "projector", store.partitions, look_seconds=0.1)
        projector = Projector(pool, store, load_catalog(Codec().classes), shares=shares)
        sharing = asyncio.create_task(shares.run())
        await asyncio.sleep(1)  # until everybody has come, so that nobody begins with too much
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        processor = time.process_time()
        running = asyncio.create_task(projector.run())
        await asyncio.to_thread(sys.stdin.readline)
        spent = time.process_time() - processor
        for task in (running, sharing):
            task.cancel()
        await asyncio.gather(running, sharing, return_exceptions=True)
        await connections.close()
    return {"processor": spent}


async def _write(url: str, partition: int, seconds_wanted: float) -> dict[str, float]:
    merchant = next(
        each for each in (f"mer_{uuid4().hex[:26]}" for _ in range(10_000))
        if partition_of(each, PARTITIONS) == partition
    )  # fmt: skip
    async with PostgresEventStore(url) as store:
        writer = Writer(store, Codec(), batch_commands_max=1_000)
        running = asyncio.create_task(writer.run())
        accounts = await _open_accounts(writer, merchant)
        began, processor, done = time.perf_counter(), time.process_time(), 0

        async def client(number: int) -> None:
            nonlocal done
            at = number * _COMMANDS
            while time.perf_counter() - began < seconds_wanted:
                chosen = [accounts[(at + each) % _ACCOUNTS] for each in range(_COMMANDS)]
                outcomes = await writer.submit_many([_consume(merchant, one) for one in chosen])
                assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
                at += _CLIENTS * _COMMANDS
                done += _COMMANDS

        await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
        seconds = time.perf_counter() - began
        spent = time.process_time() - processor
        writer.stop()
        await running
    return {"commands": done, "seconds": seconds, "processor": spent}


async def _open_accounts(writer: Writer, merchant: str) -> list[str]:
    now = datetime.now(UTC)
    accounts = [f"ca_{uuid4().hex[:26]}" for _ in range(_ACCOUNTS)]
    credit = Amount(CREDIT, 10**15)
    for commands in (
        [OpenCreditAccount(account, None, None, now) for account in accounts],
        [GrantCredits(one, f"gr_{one[3:]}", credit, "granted", now) for one in accounts],
    ):
        await writer.submit_many([_envelope(merchant, command) for command in commands])
    return accounts


def _consume(merchant: str, account: str) -> Envelope:
    amount = Amount(CREDIT, 1_000)
    return _envelope(merchant, ConsumeCredits(account, amount, datetime.now(UTC), "call"))


def _envelope(merchant: str, command: CreditAccountCommand) -> Envelope:
    origin = Origin(uuid4(), merchant, "key:bench", fingerprint=b"f" * 32)
    return envelope(origin, command, lambda states: b'{"object":"credit_account"}')


if __name__ == "__main__":
    main()
