"""One follower a chain, each with the listener that turns what it sees into commands on payments.

Watchers may run in several processes: each chain is followed by one of them, the others stand by.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from flamewire_ledger.chains.chain import Chain, Network
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.processes.watching import Watching, watch
from flamewire_ledger.processes.watching import Writer as Submits
from flamewire_ledger.store.chain_records import PostgresFollowerState
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.wiring.chain_reports import ChainMeter, ChainReport
from flamewire_ledger.wiring.health import Health
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.price_rules import PromisedPrices, read_price_rules

_log = structlog.get_logger(__name__)
_AGAIN_SECONDS: Final = 0.5
_SANDBOX_POLL_SECONDS: Final = 0.1


class Watcher:
    """Follows one chain whenever it is its turn, until it is cancelled."""

    def __init__(self, chain: Chain, follower: Follower, turn: PostgresChainTurn) -> None:
        self.chain = chain
        self._follower = follower
        self._turn = turn

    @property
    def height(self) -> int | None:
        """The last block taken in; None before the first."""
        return self._follower.height

    @property
    def is_standing_by(self) -> bool:
        """Whether another process follows the chain."""
        return self._turn.is_standing_by

    def report(self) -> ChainReport:
        """How far it is, and how the chain's endpoints do; what was heard last."""
        follower = self._follower
        return ChainReport(
            follower.height,
            follower.heads,
            follower.stages,
            self.chain.endpoints(),
            len(follower.unattested),
            self.is_standing_by,
            len(follower.refused),
        )

    async def run(self) -> None:
        while True:
            try:
                async with self._turn.taken() as lost:
                    await watch(self._follower, until=lost)
            except StoreUnavailable as error:
                _log.warning("the turn of a chain is not to be had", error=str(error))
            await asyncio.sleep(_AGAIN_SECONDS)


def followers(ledger: Ledger, writer: Writer, health: Health) -> Sequence[Watcher]:
    """A watcher for every chain of both modes."""
    limits = Limits(poll_seconds=float(ledger.settings.watch_poll_seconds))
    # A look at a sandbox chain asks nobody: its blocks come with time, and payments ring a bell.
    often = replace(limits, poll_seconds=min(limits.poll_seconds, _SANDBOX_POLL_SECONDS))
    started_at = ledger.clock.now()
    who = f"{socket.gethostname()}:{os.getpid()}"
    watchers = []
    for chain in ledger.chains:
        network = chain.network
        since = (
            None if chain in ledger.sandbox_chains else _waiting_since(ledger, network, started_at)
        )
        turn = PostgresChainTurn(ledger.connections, network.chain_id, name=who)
        follower = Follower(
            chain,
            listener(ledger, chain, writer),
            PostgresFollowerState(turn),
            limits=often if chain in ledger.sandbox_chains else limits,
            since=since,
        )
        watcher = Watcher(chain, follower, turn)
        health.watch_chain(network, watcher)
        watchers.append(watcher)
    return watchers


def chain_meters(ledger: Ledger, watchers: Sequence[Watcher]) -> Sequence[ChainMeter]:
    """One for each; the age of a head is by the time that the chain's merchants live by."""
    return [
        ChainMeter(network, watcher, ledger.meters, ledger.now_of(livemode=network.livemode))
        for watcher in watchers
        for network in (watcher.chain.network,)
    ]


def listener(
    ledger: Ledger, chain: Chain, writer: Submits, *, told_by: str = "watcher"
) -> Watching:
    """What turns that which is seen on this chain into commands."""
    network = chain.network
    return Watching(
        network,
        ledger.store,
        ledger.reads,
        writer,
        _promised(ledger, livemode=network.livemode),
        ledger.now_of(livemode=network.livemode),
        networks_alike=names_alike(ledger, network),
        shared_address=shared_address(chain),
        unclaimed_owner=ledger.settings.unclaimed_owner,
        credit_price=ledger.settings.credit_price,
        told_by=told_by,
    )


def _promised(ledger: Ledger, *, livemode: bool) -> PromisedPrices:
    """What comes late and is priced anew is priced as a new lock would be."""
    board = ledger.prices if livemode else ledger.sandbox_prices
    return PromisedPrices(board, read_price_rules(ledger.settings.price_rules_file))


def names_alike(ledger: Ledger, network: Network) -> Sequence[str]:
    """The other networks of its mode: an address of ours may have been given out for one of them."""
    return [
        other.network.name
        for other in ledger.chains
        if other.network.name != network.name and other.network.livemode == network.livemode
    ]


def shared_address(chain: Chain) -> str | None:
    """Where all payments on this network are paid, if they are told apart by mark or by amount."""
    return None if chain.network.identifies_by == "address" else chain.deposit(0).address


def _waiting_since(
    ledger: Ledger, network: Network, started_at: datetime
) -> Callable[[], Awaitable[datetime | None]]:
    """When the first payer can have been sent to this network: merchants' own addresses count too."""

    async def since() -> datetime | None:
        first = await ledger.deposit_indexes.since(network.chain_id)
        return started_at if first is None else min(first, started_at)

    return since
