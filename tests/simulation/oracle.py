"""The oracle: what must be true of what a run left behind, worked out without the code it judges.

It knows what clients were told, what the chains say, and what was recorded; of the domain it uses
the facts, and `evolve` only to hold it against what writers kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.wiring.roles import processes
from tests.simulation import (
    rules_billing,
    rules_credits,
    rules_money,
    rules_recorded,
    rules_revenue,
    rules_usage,
)
from tests.simulation.broken import Broken
from tests.simulation.business import Business
from tests.simulation.client import Client
from tests.simulation.evidence import Evidence, gather
from tests.simulation.roles import CODEC, Durable

RULES = (
    *rules_recorded.RULES,
    *rules_money.RULES,
    *rules_credits.RULES,
    *rules_revenue.RULES,
    *rules_billing.RULES,
    *rules_usage.RULES,
)


async def check(
    durable: Durable, client: Client, chains: dict[str, SandboxChain], business: Business
) -> Counter[str]:
    """Hold every rule against the evidence; raises Broken. How many payments have each status."""
    _nothing_went_wrong_unexpectedly(durable)
    evidence = await gather(durable, client, chains, business)
    for rule in RULES:
        rule(evidence)
    return _statuses(evidence)


async def react_from_the_beginning(durable: Durable, writer: Writer) -> None:
    """A reactor with no memory at all sees everything."""
    running = asyncio.create_task(writer.run())
    reactor = Reactor(
        durable.store,
        Reactions(durable.store, CODEC, writer),
        processes(),
        MemoryCheckpoints(),
        MemoryDeadLetters(),
    )
    for partition in range(durable.store.partitions):
        await reactor.catch_up(partition)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _nothing_went_wrong_unexpectedly(durable: Durable) -> None:
    if durable.faults:
        raise Broken("no task ends by itself", repr(durable.faults[0])) from durable.faults[0]
    for letter in durable.dead_letters.letters.values():
        raise Broken(
            "processes can handle every event",
            f"{letter.event.stream_id}/{letter.event.version} {letter.event.type}: {letter.cause}",
        )


def _statuses(evidence: Evidence) -> Counter[str]:
    return Counter(payment.status for payment in evidence.payments.values())
