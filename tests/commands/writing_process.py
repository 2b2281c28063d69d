"""A writer in a process of its own, to be killed: prints the command id of everything it was
promised.

    python -m tests.commands.writing_process URL NAME
"""

from __future__ import annotations

import asyncio
import sys

from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.counter import CODEC, fill, move

STREAMS = [f"ca_{number}" for number in range(12)]
CLIENTS = 40


def command(name: str, client: int, number: int) -> Envelope:
    stream = STREAMS[(client + number) % len(STREAMS)]
    other = STREAMS[(client + number + 1) % len(STREAMS)]
    ident = command_id(name, str(client), str(number))
    if number % 5 == 4:
        return move(stream, other, 1, command_id=ident)
    return fill(stream, 3, command_id=ident)


async def write(writer: Writer, name: str, client: int) -> None:
    number = 0
    while True:
        envelope = command(name, client, number)
        if isinstance(await writer.submit(envelope), Done):
            sys.stdout.write(f"{envelope.command_id}\n")
            sys.stdout.flush()
        number += 1


async def main(url: str, name: str) -> None:
    async with PostgresEventStore(url) as store:
        writer = Writer(store, CODEC, unavailable_seconds_max=60)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.run())
            for client in range(CLIENTS):
                tasks.create_task(write(writer, name, client))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
