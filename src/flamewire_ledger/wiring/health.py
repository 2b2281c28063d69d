"""Whether this process is up: what `/health/ready` answers, and what `flamewire up` waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from flamewire_ledger.api.parts import Check
from flamewire_ledger.chains.chain import Network
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.wiring.chain_reports import Reports
from flamewire_ledger.wiring.ledger import Ledger

_CHAIN: Final = "chain "  # and the network's name


def is_chain(name: str) -> bool:
    """Whether the check of this name is for a chain: a server of others, that may be down."""
    return name.startswith(_CHAIN)


class Health:
    """Roles say what they are made of; checks are made when somebody asks."""

    def __init__(
        self, ledger: Ledger, of_all: Callable[[], Awaitable[Sequence[Check]]] | None = None
    ) -> None:
        """`of_all` knows what every process says, where this one is one of several."""
        self._ledger = ledger
        self._of_all = of_all
        self._projector: Projector | None = None
        self._reactor: Reactor | None = None
        self._watchers: list[tuple[Network, Reports]] = []
        self._unclaimed: Callable[[], Mapping[str, int]] = dict
        self._relays = False
        self._is_serving: Callable[[], bool] | None = None

    def watch_projector(self, projector: Projector) -> None:
        self._projector = projector

    def watch_reactor(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def watch_chain(self, network: Network, watcher: Reports) -> None:
        self._watchers.append((network, watcher))

    def watch_unclaimed(self, by_chain: Callable[[], Mapping[str, int]]) -> None:
        self._unclaimed = by_chain

    def watch_relay(self) -> None:
        self._relays = True

    def watch_api(self, is_serving: Callable[[], bool]) -> None:
        self._is_serving = is_serving

    async def checks(self) -> Sequence[Check]:
        """Every role and server of this process, and of those it was started with."""
        return await (self.own_checks() if self._of_all is None else self._of_all())

    async def own_checks(self) -> Sequence[Check]:
        """Every role and server of this process."""
        database, heads = await self._database()
        checks = [database, self._broker()]
        if self._projector is not None:
            checks.append(await self._projections(heads))
        if self._reactor is not None:
            behind = (head - self._reactor.position(each) for each, head in heads.items())
            details: dict[str, object] = {"lag_events": max(0, *behind, 0)}
            checks.append(Check("reactor", bool(heads), details))
        checks += [self._chain(network, watcher) for network, watcher in self._watchers]
        if self._is_serving is not None:
            checks.append(Check("api", self._is_serving()))
        return checks

    async def _database(self) -> tuple[Check, dict[int, int]]:
        store = self._ledger.store
        try:
            heads = {each: await store.head(each) for each in range(store.partitions)}
        except StoreUnavailable:
            return Check("database", False, {"reason": "it does not answer"}), {}
        return Check("database", True, {"heads": list(heads.values())}), heads

    def _broker(self) -> Check:
        """Without one everything works; who runs the ledger should know which it is."""
        if self._ledger.settings.amqp_url is None:
            return Check("broker", True, {"kind": "none", "reason": "projectors tail the store"})
        details: dict[str, object] = {"kind": "rabbitmq"}
        if self._relays or self._of_all is None:  # else another process of this ledger may
            details["relays"] = self._relays
        return Check("broker", True, details)

    async def _projections(self, heads: dict[int, int]) -> Check:
        projector = self._projector
        assert projector is not None
        details: dict[str, object] = {}
        if heads:
            positions = await self._ledger.reads.positions()
            behind = [
                max(0, head - positions.get((name, partition), 0))
                for partition, head in heads.items()
                for name in self._ledger.catalog.names
            ]
            details["lag_events"] = max(behind, default=0)
        if projector.broken:
            details["broken"] = dict(projector.broken)
        return Check("projector", projector.is_ready, details)

    def _chain(self, network: Network, watcher: Reports) -> Check:
        """One that stands by is as ready as it can be: another process follows the chain."""
        report = watcher.report()
        details = {"chain_id": network.chain_id, **report.details()}
        if unclaimed := self._unclaimed().get(network.chain_id):
            details["unclaimed_transfers"] = unclaimed  # a person has to say whose they are
        is_seen = report.height is not None and report.reason is None
        return Check(_CHAIN + network.name, is_seen or report.is_standing_by, details)
