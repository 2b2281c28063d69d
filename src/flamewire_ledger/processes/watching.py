"""What a chain says becomes commands on payments: recorded, confirmed, dropped.

Whose a transfer is, identification.py finds out; that it is the wrong one is for the payment to
decide, because the money has arrived. Test money never reaches a live payment, nor the other way
round. What came to an address of many payments and is none of theirs is held (holding.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol, assert_never

import psycopg
import structlog

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.observation import (
    Confirmed,
    Detected,
    Dropped,
    Included,
    ListenerBusy,
    Observation,
)
from flamewire_ledger.commands import payment
from flamewire_ledger.commands.decider import Contended, Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset, Rate, share
from flamewire_ledger.domain.payment import (
    ConfirmTransfer,
    DropTransfer,
    PaymentCommand,
    RecordTransfer,
)
from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.domain.rejection import PriceUnavailable, QueueFull, Rejection
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.processes import identification
from flamewire_ledger.processes.holding import Holding
from flamewire_ledger.processes.identification import Identification, Owner, Unclaimed, Whose
from flamewire_ledger.queries.database import ReadModelNotBuilt, Row
from flamewire_ledger.store.event_store import RecordedEvent, StoreUnavailable

_log = structlog.get_logger(__name__)

READ_MODELS: Final = ("deposit_addresses", "merchants")
DOLLAR: Final = Asset("USD", 2)
FAILED_MAX: Final = 10_000
OPERATOR: Final = "operator"  # the merchant that owns what nobody claims, by default


class Store(Protocol):
    """What is asked of the event store."""

    @property
    def partitions(self) -> int: ...

    async def head(self, partition: int) -> int: ...

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]: ...


class ReadModels(identification.ReadModels, Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool: ...

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None: ...


class Writer(Protocol):
    """Where commands go."""

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class Prices(Protocol):
    """What things cost now. Raises PriceUnavailable."""

    async def rate(
        self, base: Asset, quote: Asset, now: datetime
    ) -> tuple[Rate, tuple[Quote, ...]]: ...


@dataclass(frozen=True, slots=True)
class WatchingLimits:
    """How much at once, and how long to wait for a read model."""

    addresses_max: int = 5_000
    commands_max: int = 1_000
    behind_seconds_max: float = 5.0


class Watching:
    """The listener of one chain's follower.

    `networks_alike` are the names of other networks on which the same address can have been given
    out: on every EVM network an address is the same. `now` is the time its merchants live by;
    `credit_price` is US dollars a credit. `shared_address` is that of all payments on this network,
    where they are told apart by mark or by amount; `unclaimed_owner` names the merchant in whose
    books stands what comes there and is nobody's. `told_by` is who is on record for all of it.
    """

    def __init__(
        self,
        network: Network,
        store: Store,
        reads: ReadModels,
        writer: Writer,
        prices: Prices,
        now: Callable[[], datetime],
        *,
        networks_alike: Sequence[str] = (),
        shared_address: str | None = None,
        unclaimed_owner: str = OPERATOR,
        credit_price: Decimal = Decimal(1),
        limits: WatchingLimits | None = None,
        told_by: str = "watcher",
    ) -> None:
        self._network = network
        self._actor = f"{told_by}:{network.chain_id}"
        self._store = store
        self._reads = reads
        self._writer = writer
        self._prices = prices
        self._now = now
        self._credit_price = credit_price
        self._limits = limits or WatchingLimits()
        self._identification = Identification(
            network,
            reads,
            (network.name, *(name for name in networks_alike if name != network.name)),
            shared_address=shared_address,
            addresses_max=self._limits.addresses_max,
        )
        self._holding = Holding(network, store, now, unclaimed_owner, told_by)
        self._failed: set[str] = set()

    # Whose is it?

    async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
        """Those that went to an address we gave out, on whatever network.

        Waits until the read model has everything that is in the store now: a payer can only know an
        address that is there.
        """
        await self._caught_up()
        return await self._identification.whose([(transfer, None) for transfer in transfers])

    async def _caught_up(self) -> None:
        for partition in range(self._store.partitions):
            head = await self._store.head(partition)
            seconds = self._limits.behind_seconds_max
            if not await self._reads.wait_for(partition, head, READ_MODELS, seconds):
                raise ListenerBusy(
                    f"{' or '.join(READ_MODELS)} is behind position {head} of partition {partition}"
                )

    # What follows from it.

    async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
        """Send the commands, many at once; the keys of the transfers whose command failed."""
        owners = await self._owners_of_known(observations)
        refused: set[str] = set()
        for each in observations:
            if each.transfer.key not in owners:
                self._report(each, "the read model does not know its address any more")
                refused.add(each.transfer.key)
        for some in _in_parts(observations, self._limits.commands_max):
            owned = [each for each in some if each.transfer.key in owners]
            sent = await self._envelopes(owned, owners)
            envelopes = [envelope for _, envelope in sent]
            outcomes = await self._writer.submit_many(envelopes) if envelopes else ()
            for (observation, _), outcome in zip(sent, outcomes, strict=True):
                if not self._is_taken_in(observation, outcome):
                    refused.add(observation.transfer.key)
        return refused

    async def _owners_of_known(self, observations: Sequence[Observation]) -> Mapping[str, Whose]:
        """Whose the transfers are that were somebody's when they were met: a read model that lacks
        a payment now may be behind where it was.
        """
        seen = [(each.transfer, each.seen_at) for each in observations]
        owners = await self._identification.whose(seen)
        if not all(isinstance(owners.get(transfer.key), Owner) for transfer, _ in seen):
            await self._caught_up()
            owners = await self._identification.whose(seen)
        return owners

    async def _envelopes(
        self, observations: Sequence[Observation], owners: Mapping[str, Whose]
    ) -> list[tuple[Observation, Envelope]]:
        """One for each, and a second where what was held turns out to be a payment's."""
        held = await self._holding.of(
            [
                each.transfer
                for each in observations
                if isinstance(whose := owners[each.transfer.key], Owner) and whose.is_shared
            ]
        )
        envelopes: list[tuple[Observation, Envelope]] = []
        for each in observations:
            whose = owners[each.transfer.key]
            standing = held.get(each.transfer.key)
            if isinstance(whose, Unclaimed):
                if not isinstance(each, Dropped):
                    self._holding.warn(each.transfer, whose.why)
                envelopes.append((each, self._holding.envelope(each, whose.why)))
            elif standing == "on the books":
                envelopes.append((each, self._holding.envelope(each, "unknown_mark")))
            else:
                if standing == "received":
                    envelopes.append((each, self._holding.letting_go(each)))
                envelopes.append((each, await self._envelope(each, whose)))
        return envelopes

    async def _envelope(self, observation: Observation, owner: Owner) -> Envelope:
        command, stage = await self._command(observation, owner)
        name = command_id("transfer", self._network.chain_id, owner.payment_id, *stage)
        origin = Origin(
            command_id=name,
            merchant_id=owner.merchant_id,
            actor=self._actor,
            fingerprint=name.bytes,
            correlation_id=observation.transfer.transaction_id,
        )
        return payment.envelope(origin, command)

    async def _command(
        self, observation: Observation, owner: Owner
    ) -> tuple[PaymentCommand, tuple[str, ...]]:
        """The command, and what names it: the same report gives the same name."""
        transfer, seen_at = observation.transfer, observation.seen_at
        said = (
            transfer.transaction_id,
            str(transfer.index),
            str(observation.epoch),
            seen_at.isoformat(),
        )
        match observation:
            case Detected():
                worth = await self._worth_now(observation, owner)
                record = RecordTransfer(owner.payment_id, transfer, None, seen_at, worth)
                return record, (*said, "detected")
            case Included(block=block):
                worth = await self._worth_now(observation, owner)
                record = RecordTransfer(owner.payment_id, transfer, block, seen_at, worth)
                return record, (*said, "included", block.hash)
            case Confirmed(block=block, confirmations=confirmations):
                worth = await self._worth_now(observation, owner)
                confirm = ConfirmTransfer(
                    owner.payment_id, transfer, block, confirmations, seen_at, self._now(), worth
                )
                return confirm, (*said, "confirmed", block.hash)
            case Dropped():
                drop = DropTransfer(owner.payment_id, transfer, self._now())
                return drop, (*said, "dropped")
            case _:
                assert_never(observation)

    async def _worth_now(self, observation: Observation, owner: Owner) -> Amount | None:
        """What a late transfer is worth now, in the currency of its payment; None without a price.

        Only what is late needs it: all else is worth what its price lock says.
        """
        if observation.seen_at <= owner.expires_at:
            return None
        row = await self._reads.payment(owner.merchant_id, owner.payment_id)
        if row is None:
            return None
        currency = Asset(row["currency"], row["decimals"])
        amount = observation.transfer.amount
        if currency == amount.asset:
            return amount
        try:
            return await self._worth_in(currency, amount)
        except PriceUnavailable as refusal:
            _log.warning("late_transfer_without_price", why=refusal.detail)
            return None

    async def _worth_in(self, currency: Asset, amount: Amount) -> Amount:
        if currency.code != "CREDIT":
            rate, _ = await self._prices.rate(amount.asset, currency, self._now())
            return rate.quote_for(amount)
        # Dollars in the credit's decimals, then as many credits as they buy.
        dollars = Asset(DOLLAR.code, currency.decimals)
        rate, _ = await self._prices.rate(amount.asset, dollars, self._now())
        numerator, denominator = self._credit_price.as_integer_ratio()
        bought = share(rate.quote_for(amount), denominator, numerator)
        return Amount(currency, bought.units)

    def _is_taken_in(self, observation: Observation, outcome: Outcome | Failed) -> bool:
        """Whether it is recorded. Raises ListenerBusy when all of it should be told again."""
        match outcome:
            case Done():
                self._failed.discard(observation.transfer.key)
                return True
            case Contended() | QueueFull():
                raise ListenerBusy("the writer is busy")
            case Failed(error=StoreUnavailable() as error):
                raise ListenerBusy(str(error))
            case Rejection() | Failed():
                why = outcome.detail if isinstance(outcome, Rejection) else repr(outcome.error)
                self._report(observation, why)
                return False
            case _:
                assert_never(outcome)

    def _report(self, observation: Observation, why: str) -> None:
        """Once a transfer: it is tried again and again, and somebody has to look at it."""
        key = observation.transfer.key
        if key in self._failed:
            return
        if len(self._failed) >= FAILED_MAX:
            self._failed.clear()  # then some are logged once more
        self._failed.add(key)
        _log.error("transfer_not_taken_in", transfer=key, what=type(observation).__name__, why=why)


async def watch(follower: Follower, until: asyncio.Event | None = None) -> None:
    """Follow for ever, or until the event is set; what the database may do better in a while is
    tried again.
    """
    mendable = (StoreUnavailable, ReadModelNotBuilt, psycopg.OperationalError)
    await follower.run(retry_on=mendable, until=until)


def _in_parts(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    every = list(items)
    for first in range(0, len(every), size):
        yield every[first : first + size]
