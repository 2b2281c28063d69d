"""What is nobody's is held: observations of unclaimed transfers become commands on them.

A transfer that stands on the books as unclaimed stays there, whatever payment it would match later:
only a person assigns it. One that was received and is not final yet is let go when its payment is
found after all, as after a payment's event that was parked has been taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias, assert_never

import structlog

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.observation import (
    Confirmed,
    Detected,
    Dropped,
    Included,
    Observation,
)
from flamewire_ledger.commands import unclaimed_transfer
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.unclaimed_transfer import unclaimed_id
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.merchant import RegisterMerchant, merchant_id_of
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import (
    ConfirmUnclaimed,
    DropUnclaimed,
    ReceiveTransfer,
    UnclaimedTransferCommand,
    UnclaimedTransferDropped,
    UnclaimedTransferReceived,
    UnclaimedTransferReorganised,
    WhyUnclaimed,
)
from flamewire_ledger.store.event_store import RecordedEvent, partition_of

_log = structlog.get_logger(__name__)
_WARNED_MAX: Final = 10_000

Standing: TypeAlias = Literal["received", "on the books"]


class Store(Protocol):
    """What is asked of the event store."""

    @property
    def partitions(self) -> int: ...

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]: ...


class Holding:
    """For one network. `owner` names the merchant in whose books it is held, one in each mode."""

    def __init__(
        self,
        network: Network,
        store: Store,
        now: Callable[[], datetime],
        owner: str,
        told_by: str = "watcher",
    ) -> None:
        self._network = network
        self._actor = f"{told_by}:{network.chain_id}"
        self._store = store
        self._now = now
        self._owner = owner
        self._merchant_id = merchant_id_of(owner, livemode=network.livemode)
        self._warned: set[str] = set()

    async def of(self, transfers: Sequence[Transfer]) -> Mapping[str, Standing]:
        """Which of them are held now, by key. The store is asked: a read model may be behind."""
        if not transfers:
            return {}
        streams = {self._id(transfer): transfer.key for transfer in transfers}
        partition = partition_of(self._merchant_id, self._store.partitions)
        found: dict[str, Standing] = {}
        for stream_id, events in (
            await self._store.load(partition, dict.fromkeys(streams, 0))
        ).items():
            last = events[-1].type if events else UnclaimedTransferDropped.type
            if last == UnclaimedTransferReceived.type:
                found[streams[stream_id]] = "received"
            elif last not in (UnclaimedTransferDropped.type, UnclaimedTransferReorganised.type):
                found[streams[stream_id]] = "on the books"
        return found

    def envelope(self, observation: Observation, why: WhyUnclaimed) -> Envelope:
        """What the chain says, said to the unclaimed transfer."""
        transfer, seen_at = observation.transfer, observation.seen_at
        stream_id, chain_id = self._id(transfer), self._network.chain_id
        command: UnclaimedTransferCommand
        match observation:
            case Detected():
                command = ReceiveTransfer(stream_id, chain_id, transfer, None, why, seen_at)
                return self._observed(observation, command, "detected")
            case Included(block=block):
                command = ReceiveTransfer(stream_id, chain_id, transfer, block, why, seen_at)
                return self._observed(observation, command, "included", block.hash)
            case Confirmed(block=block, confirmations=confirmations):
                command = ConfirmUnclaimed(
                    stream_id, chain_id, transfer, block, confirmations, why, seen_at, self._now()
                )
                return self._observed(observation, command, "confirmed", block.hash)
            case Dropped():
                command = DropUnclaimed(stream_id, self._now())
                return self._observed(observation, command, "dropped")
            case _:
                assert_never(observation)

    def letting_go(self, observation: Observation) -> Envelope:
        """Its payment has been found."""
        command = DropUnclaimed(self._id(observation.transfer), self._now())
        return self._observed(observation, command, "let go")

    def _observed(
        self, observation: Observation, command: UnclaimedTransferCommand, *stage: str
    ) -> Envelope:
        transfer = observation.transfer
        name = command_id(
            "unclaimed",
            self._network.chain_id,
            transfer.transaction_id,
            str(transfer.index),
            str(observation.epoch),
            observation.seen_at.isoformat(),
            *stage,
        )
        origin = Origin(
            command_id=name,
            merchant_id=self._merchant_id,
            actor=self._actor,
            fingerprint=name.bytes,
            correlation_id=transfer.transaction_id,
        )
        owner = RegisterMerchant(
            self._merchant_id, self._owner, self._network.livemode, self._now()
        )
        return unclaimed_transfer.observed(origin, command, owner)

    def _id(self, transfer: Transfer) -> str:
        return unclaimed_id(self._network.chain_id, transfer)

    def warn(self, transfer: Transfer, why: WhyUnclaimed) -> None:
        """Once a transfer: somebody paid, and a person has to find out what for."""
        if transfer.key in self._warned:
            return
        if len(self._warned) >= _WARNED_MAX:
            self._warned.clear()
        self._warned.add(transfer.key)
        _log.warning(
            "transfer_unclaimed",
            transfer=transfer.key,
            unclaimed_transfer=self._id(transfer),
            amount=transfer.amount.text,
            asset=transfer.amount.asset.code,
            why=why,
        )
