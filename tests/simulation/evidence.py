"""The evidence: everything a run left behind, gathered once for all the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.commands.credit_account import CREDIT_ACCOUNT
from flamewire_ledger.commands.decider import Decider
from flamewire_ledger.commands.entitlement import ENTITLEMENT
from flamewire_ledger.commands.invoice import INVOICE, REGISTER
from flamewire_ledger.commands.merchant import MERCHANT
from flamewire_ledger.commands.meter import METER
from flamewire_ledger.commands.ownership import OWNERSHIP
from flamewire_ledger.commands.payment import PAYMENT
from flamewire_ledger.commands.plan import PLAN
from flamewire_ledger.commands.price_lock import PRICE_LOCK
from flamewire_ledger.commands.subscription import METERED_BILLING, SUBSCRIPTION
from flamewire_ledger.commands.top_up import TOP_UP
from flamewire_ledger.commands.unclaimed_transfer import UNCLAIMED_TRANSFER
from flamewire_ledger.commands.usage import USAGE
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import CreditAccount
from flamewire_ledger.domain.invoice import Invoice
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.event_store import RecordedCommand, RecordedEvent, StateSnapshot
from flamewire_ledger.store.usage_items import MemoryUsageItems
from tests.domain.books import Books
from tests.simulation.business import Business
from tests.simulation.chains import shared_address
from tests.simulation.client import Client, Sent
from tests.simulation.roles import CODEC, Durable

DECIDERS: dict[str, Decider] = {
    "pi": PAYMENT,
    "ca": CREDIT_ACCOUNT,
    "pl": PRICE_LOCK,
    "inv": INVOICE,
    "ir": REGISTER,
    "cnr": REGISTER,
    "mer": MERCHANT,
    "ut": UNCLAIMED_TRANSFER,
    "plan": PLAN,
    "sub": SUBSCRIPTION,
    "mb": METERED_BILLING,
    "me": METER,
    "us": USAGE,
    "tu": TOP_UP,
    "en": ENTITLEMENT,
    "own": OWNERSHIP,
}


@dataclass(frozen=True)
class Seen:
    """A recorded event and what it means."""

    recorded: RecordedEvent
    fact: Any


@dataclass(frozen=True)
class OnChain:
    """A transfer that is final on its chain now, in this block, and when it was sent."""

    transfer: Transfer
    block: Block
    paid_at: datetime


@dataclass(frozen=True)
class Evidence:
    """`partitions`: all events in order of position, each partition for itself."""

    partitions: Sequence[Sequence[Seen]]
    streams: dict[str, list[Seen]]
    commands: dict[Any, RecordedCommand]
    snapshots: dict[str, StateSnapshot]
    writers: Sequence[Writer]
    sent: Sequence[Sent]
    on_chain: Sequence[OnChain]
    shared_addresses: set[tuple[str, str]]  # (network, address)
    books: Books
    payments: dict[str, Payment]
    accounts: dict[str, CreditAccount]
    invoices: dict[str, Invoice]  # those that were drafted
    business: Business
    usage_items: MemoryUsageItems
    now: datetime

    def facts(self, *types: type[Any]) -> list[Seen]:
        """All of these types, in order, partition by partition."""
        return [seen for some in self.partitions for seen in some if isinstance(seen.fact, types)]


def fold(seen: Sequence[Seen]) -> Any:
    """The state that a stream's events add up to, from the first on."""
    evolve = DECIDERS[seen[0].recorded.stream_id.partition("_")[0]].evolve
    state = None
    for each in seen:
        state = evolve(state, each.fact)
    return state


async def gather(
    durable: Durable, client: Client, chains: dict[str, SandboxChain], business: Business
) -> Evidence:
    """Read all of it, past every fault."""
    partitions = [
        [Seen(event, CODEC.decode(event)) for event in await durable.store.read(each, 0, 10**9)]
        for each in range(durable.store.partitions)
    ]
    streams: dict[str, list[Seen]] = {}
    for some in partitions:
        for seen in some:
            streams.setdefault(seen.recorded.stream_id, []).append(seen)
    states = {stream_id: fold(seen) for stream_id, seen in streams.items()}
    shards = durable.store._partitions
    return Evidence(
        partitions=partitions,
        streams=streams,
        commands={id_: it for shard in shards for id_, it in shard.commands.items()},
        snapshots={id_: it for shard in shards for id_, it in shard.snapshots.items()},
        writers=list(durable.writers),
        sent=list(client.sent.values()),
        on_chain=[it for chain in chains.values() for it in await _on_chain(durable, chain)],
        shared_addresses={
            (name, address)
            for name, chain in chains.items()
            if (address := shared_address(chain)) is not None
        },
        books=Books(seen.fact for some in partitions for seen in some),
        payments={id_: it for id_, it in states.items() if isinstance(it, Payment)},
        accounts={id_: it for id_, it in states.items() if isinstance(it, CreditAccount)},
        invoices={
            id_: it
            for id_, it in states.items()
            if isinstance(it, Invoice) and it.drafted is not None
        },
        business=business,
        usage_items=durable.usage_items,
        now=durable.clock.now(),
    )


async def _on_chain(durable: Durable, chain: SandboxChain) -> list[OnChain]:
    network, found = chain.network, []
    rows = await durable.journal.read(network.chain_id, 0, 10**9)
    paid_at = {row[1].key: row[2] for row in rows}
    heads, height = await chain.heads(), durable.starts[network.name]
    while blocks := await chain.blocks(height, min(height + 999, heads.finalized_height)):
        for each in blocks:
            found += [OnChain(it, each.block, paid_at[it.key]) for it in each.transfers]
        height = blocks[-1].block.height + 1
    return found
