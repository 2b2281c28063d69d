"""One follower a chain, each with the listener that turns what it sees into commands on payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.processes.watching import Watching, watch
from flamewire_ledger.store.chain_records import PostgresFollowerState
from flamewire_ledger.wiring.health import Health
from flamewire_ledger.wiring.ledger import Ledger


class Watcher:
    """Follows one chain until it is cancelled."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def run(self) -> None:
        await watch(self._follower)


def followers(ledger: Ledger, writer: Writer, health: Health) -> Sequence[Watcher]:
    """A watcher for every chain of both modes."""
    state = PostgresFollowerState(ledger.connections)
    limits = Limits(poll_seconds=float(ledger.settings.watch_poll_seconds))
    started_at = ledger.clock.now()
    watchers = []
    for chain in ledger.chains:
        network = chain.network
        now = ledger.now_of(livemode=network.livemode)
        alike = [
            other.network.name
            for other in ledger.chains
            if other.network.name != network.name and other.network.livemode == network.livemode
        ]
        listener = Watching(
            network,
            ledger.store,
            ledger.reads,
            writer,
            ledger.prices if network.livemode else ledger.sandbox_prices,
            now,
            networks_alike=alike,
            credit_price=ledger.settings.credit_price,
        )
        since = (
            None if chain in ledger.sandbox_chains else _waiting_since(ledger, network, started_at)
        )
        follower = Follower(chain, listener, state, limits=limits, since=since)
        health.watch_chain(network, follower)
        watchers.append(Watcher(follower))
    return watchers


def _waiting_since(
    ledger: Ledger, network: Network, started_at: datetime
) -> Callable[[], Awaitable[datetime | None]]:
    """When the first payer can have been sent to this network: merchants' own addresses count too."""

    async def since() -> datetime | None:
        first = await ledger.deposit_indexes.since(network.chain_id)
        return started_at if first is None else min(first, started_at)

    return since
