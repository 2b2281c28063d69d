"""Reconciliation, put together: for the command line over everybody's books, for the API over a merchant's
own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import msgspec
import structlog

from flamewire_ledger.api.parts import ChainSilent
from flamewire_ledger.api.reconciliation_report import report_of
from flamewire_ledger.chains.catching_up import first_height
from flamewire_ledger.chains.chain import Chain, ChainUnavailable
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.observation import ListenerBusy
from flamewire_ledger.commands import reconciliation as commands
from flamewire_ledger.commands.decider import Contended
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.merchant import RegisterMerchant, merchant_id_of
from flamewire_ledger.domain.rejection import NotAllowed, Rejection
from flamewire_ledger.processes.reconciliation.chain_side import (
    Progress,
    ReconciliationLimits,
    ReconciliationRefused,
)
from flamewire_ledger.processes.reconciliation.run import Derived, Reconciling
from flamewire_ledger.processes.reconciliation.surroundings import Scope, Surroundings
from flamewire_ledger.store.chain_standing import chain_standings
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.rescans import chain_called
from flamewire_ledger.wiring.sweeping import given_out_on
from flamewire_ledger.wiring.watchers import names_alike, shared_address

_log = structlog.get_logger(__name__)
CODE_VERSION: Final = version("flamewire-ledger")
_SHORT: Final = ReconciliationLimits(blocks_max=10_000, tries_max=2, follower_seconds_max=5.0)


def operators_scope(ledger: Ledger, chain: Chain) -> Scope:
    """Everybody's books of the chain's mode; recorded in those of the operator."""
    owner = ledger.settings.unclaimed_owner
    return Scope(merchant_id_of(owner, livemode=chain.network.livemode), is_everybody=True)


def reconciling(
    ledger: Ledger, chain: Chain, scope: Scope, limits: ReconciliationLimits | None = None
) -> Reconciling:
    """Runs over one chain."""
    network = chain.network

    async def followed() -> int | None:
        standing = (await chain_standings(ledger.connections, [network.chain_id]))[network.chain_id]
        return standing.height if standing.followed_by is not None else None

    async def held(height: int, addresses: Collection[str]) -> Mapping[str, int] | None:
        if not isinstance(chain, EthereumChain):
            return None
        given_out = {chain.deposit(it).address for it in await given_out_on(ledger, chain)}
        try:
            return await chain.sums({*addresses, *given_out}, height=height)
        except ChainUnavailable as error:  # few nodes keep the state of old blocks
            _log.warning("balances_not_told", network=network.name, why=str(error))
            return None

    async def began() -> int:
        """Where the first payer can have paid: at the block of the first payment that was asked for."""
        asked = {
            "network": network.name,
            "merchant_id": None if scope.is_everybody else scope.owner_id,
            "limit": 1,
        }
        heads = await chain.heads()
        rows = await ledger.reads.ask("deposit_addresses", "deposits_first", asked)
        since = rows[0]["requested_at"] if rows else None
        return min(await first_height(chain, heads, since), heads.finalized_height)

    return Reconciling(
        Surroundings(
            chain=chain,
            store=ledger.store,
            codec=ledger.codec,
            reads=ledger.reads,
            names=(network.name, *names_alike(ledger, network)),
            shared_address=shared_address(chain),
            now=ledger.now_of(livemode=network.livemode),
            code_version=CODE_VERSION,
            followed=followed,
            held=held,
            began=began,
            limits=limits or ReconciliationLimits(),
        ),
        scope,
    )


class OwnReconciler:
    """For the API: a merchant's own books, and few blocks, as somebody waits for the answer."""

    def __init__(self, ledger: Ledger, writer: Writer) -> None:
        self._ledger = ledger
        self._writer = writer
        self._running: set[tuple[str, str]] = set()

    async def run(
        self,
        merchant_id: str,
        actor: str,
        chain_id: str,
        first: int | None,
        last: int | None,
    ) -> tuple[str, int]:
        chain = chain_called(self._ledger, chain_id)
        scope = Scope(merchant_id, is_everybody=False)
        place = merchant_id, chain_id
        if place in self._running:  # two at once would open every exception twice
            raise NotAllowed("these books are being reconciled: wait until that is done")
        self._running.add(place)
        try:
            told = await record_run(
                self._ledger, self._writer, chain, scope, actor, first, last, limits=_SHORT
            )
        except ReconciliationRefused as error:
            raise NotAllowed(str(error)) from None
        except (ChainUnavailable, ListenerBusy) as error:
            raise ChainSilent(str(error)) from None
        finally:
            self._running.remove(place)
        return told.reconciliation_id, told.position


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run, and where it was recorded."""

    derived: Derived
    position: int

    @property
    def reconciliation_id(self) -> str:
        return self.derived.command.completed.reconciliation_id


async def record_run(
    ledger: Ledger,
    writer: Writer,
    chain: Chain,
    scope: Scope,
    actor: str,
    first: int | None,
    last: int | None,
    progress: Progress = lambda done, total: None,
    limits: ReconciliationLimits | None = None,
) -> Recorded:
    """Make a run and record it. Raises what processes.reconciliation.run.Reconciling raises."""
    run = reconciling(ledger, chain, scope, limits)
    derived = await run.settled(first, last, progress)
    command = derived.command
    name = command_id("reconciliation", command.completed.reconciliation_id)
    origin = Origin(name, scope.owner_id, actor, fingerprint=name.bytes)
    owner = None
    if scope.is_everybody:
        called = ledger.settings.unclaimed_owner
        at = command.completed.completed_at
        owner = RegisterMerchant(scope.owner_id, called, chain.network.livemode, at)
    outcome = await writer.submit(commands.recording(origin, command, owner, derived.settles))
    if isinstance(outcome, Rejection):
        raise outcome
    if isinstance(outcome, Contended):
        raise ListenerBusy("others kept writing what this run settles: run it again")
    return Recorded(derived, outcome.position)


def report_of_run(ledger: Ledger, chain: Chain, told: Recorded) -> dict[str, Any]:
    """The report, as the API answers it from its read model a moment later."""
    command, position = told.derived.command, told.position
    completed = command.completed
    run = {
        **_recorded(ledger, completed),
        "height": completed.pin.height,
        "drift": any(it.drift for it in completed.positions),
        "completed": _recorded(ledger, completed),
        "completed_at": completed.completed_at,
        "position": position - len(command.exceptions) - len(told.derived.settles),
    }
    opened = [
        {
            **_recorded(ledger, it),
            "opened": _recorded(ledger, it),
            "since": it.since,
            "opened_at": it.opened_at,
        }
        for it in command.exceptions
    ]
    exceptions = [*told.derived.kept, *opened]
    return report_of(run, exceptions, livemode=chain.network.livemode)


def _recorded(ledger: Ledger, event: object) -> dict[str, Any]:
    """As it stands in the log."""
    return dict(msgspec.json.decode(ledger.codec.encode(event).data))
