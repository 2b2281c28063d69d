"""More writers: the same commands through 1, 2 and 4 writer processes, each on a partition of its own.

On a machine of two cores the total stops growing when both are busy. What tells whether more cores
and more machines would help is the processor time of a command, all processes and Postgres
together: as long as it stays where it is, writers do not get into each other's way.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from dataclasses import dataclass
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
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import partition_of
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.processes import cost, tree
from scripts.benchmarks.servers import postgres_server

_WRITERS: Final = (1, 2, 4)
_PARTITIONS: Final = 4
_SECONDS: Final = 5.0
_ACCOUNTS: Final = 1_000
_CLIENTS: Final = 40
_COMMANDS: Final = 25  # of a client at once


@dataclass(frozen=True, slots=True)
class Measured:
    commands_a_second: float
    processor_us: float  # a command, of the writers and of Postgres


def run() -> list[Figure]:
    with postgres_server(migrated=False) as server:
        asyncio.run(migrate(server.url, partitions=_PARTITIONS))
        measured = {writers: _measure(server.url, server.pid, writers) for writers in _WRITERS}
    one = measured[1]
    figures: list[Figure] = []
    for writers in _WRITERS[1:]:
        many, name = measured[writers], f"{writers} writer processes"
        rate = Figure(
            f"consume, {name}",
            many.commands_a_second,
            "commands/s",
            one.commands_a_second,
            "1 writer process",
        )
        spent = Figure(
            f"CPU a command, {name}",
            many.processor_us,
            "µs",
            one.processor_us,
            "1 writer process",
            less_is_better=True,
            ratio_target=1.25,
        )
        figures += [rate, spent]
    return figures


def _measure(url: str, server_pid: int, writers: int) -> Measured:
    before = cost(tree(server_pid)).processor_seconds
    command = [sys.executable, "-m", "scripts.benchmarks.scale", url]
    processes = [
        subprocess.Popen([*command, str(partition)], stdout=subprocess.PIPE, text=True)
        for partition in range(writers)
    ]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    commands = sum(answer["commands"] for answer in answers)
    spent = cost(tree(server_pid)).processor_seconds - before
    spent += sum(answer["processor"] for answer in answers)
    rate = sum(answer["commands"] / answer["seconds"] for answer in answers)
    return Measured(rate, spent / commands * 1e6)


async def _write(url: str, partition: int) -> dict[str, float]:
    merchant = next(
        each for each in (f"mer_{uuid4().hex[:26]}" for _ in range(10_000))
        if partition_of(each, _PARTITIONS) == partition
    )  # fmt: skip
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    async with PostgresEventStore(url) as store:
        writer = Writer(store, Codec(), batch_commands_max=1_000)
        running = asyncio.create_task(writer.run())
        accounts = await _open_accounts(writer, merchant)
        began, processor, done = time.perf_counter(), time.process_time(), 0

        async def client(number: int) -> None:
            nonlocal done
            at = number * _COMMANDS
            while time.perf_counter() - began < _SECONDS:
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
    json.dump(uvloop.run(_write(sys.argv[1], int(sys.argv[2]))), sys.stdout)
