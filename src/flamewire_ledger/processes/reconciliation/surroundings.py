"""What a run is given: the parts that wiring puts together, whose books it is about, and what it is pinned to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.reconciliation import Pin
from flamewire_ledger.processes.reconciliation.chain_side import ReconciliationLimits
from flamewire_ledger.processes.reconciliation.expectations import Decoder
from flamewire_ledger.queries.database import Row
from flamewire_ledger.store.event_store import EventStore

Held: TypeAlias = Callable[[int, Collection[str]], Awaitable[Mapping[str, int] | None]]


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = ...
    ) -> Sequence[Row]: ...

    async def merchant(self, merchant_id: str) -> Row | None: ...

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None: ...

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """In whose books a run is recorded, and whose it is about: their own, or everybody's."""

    owner_id: str
    is_everybody: bool


@dataclass(frozen=True, slots=True)
class Pins:
    """All that a run depends on besides the log and the chain."""

    first_height: int
    pin: Pin
    positions: tuple[int, ...]  # one for each partition
    at: datetime  # when it was made, by the clock its merchants live by
    before: Row | None  # the run that it follows


@dataclass(slots=True)
class Surroundings:
    """What a run asks, put together by wiring."""

    chain: Chain
    store: EventStore
    codec: Decoder
    reads: ReadModels
    names: Sequence[str]  # the network's own, and of those with the same addresses
    shared_address: str | None
    now: Callable[[], datetime]
    code_version: str
    followed: Callable[[], Awaitable[int | None]]  # how far the follower is
    held: Held  # as of a block, by asset: at all that is ours and at these addresses
    began: Callable[[], Awaitable[int]]  # where a first run begins
    limits: ReconciliationLimits = field(default_factory=ReconciliationLimits)
