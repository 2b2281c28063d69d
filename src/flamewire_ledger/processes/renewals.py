"""Renewals: what time makes due of subscriptions, on time and after the ledger was down.

As with deadlines, read models know whose time is up and the domain has the last word (see decision
0010). A subscription is brought up to date step by step, the oldest first: each period that was
missed gets its own facts, and so its own invoice, with what was used in it. Usage that came in is
waited for, so that none of it is missed by the bill of its period. One that cannot be brought up,
for whatever reason, is asked for again later, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol

import structlog

from flamewire_ledger.billing.subscriptions import UsageKey, usage_due
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.subscription import SUBSCRIPTION, Advance, advance
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.subscription import Subscription
from flamewire_ledger.processes.reaction import Writes
from flamewire_ledger.processes.reactor import Meter
from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.queries.metered_usage import UsageBehind
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, partition_of

_log = structlog.get_logger(__name__)
STEPS_MAX: Final = 200  # of one subscription in one sweep; the rest is for the next
_WAIT_SECONDS_MAX: Final = 15.0
_EVENTS_MAX: Final = 10_000
_AGAIN_AFTER_FIRST: Final = timedelta(seconds=2)
_AGAIN_AFTER_MAX: Final = timedelta(seconds=60)
_NOT_YET_MAX: Final = 10_000
FAILURES_MAX: Final = 5  # in a row: then it is not the subscriptions that are at fault

Cursor = tuple[datetime, str]


class Clock(Protocol):
    """The time that merchants of one mode live by."""

    def now(self) -> datetime: ...


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]: ...


class UsageReader(Protocol):
    """What meters counted: billed usage, in the meter's own aggregation."""

    async def metered(
        self, merchant_id: str, credit_account_id: str, keys: Sequence[UsageKey]
    ) -> Mapping[UsageKey, Decimal]:
        """So much for each key, once everything that was recorded is in it."""


class Renewals:
    """`run` polls until cancelled; `sweep` does everything that is due now."""

    def __init__(
        self,
        reads: ReadModels,
        usage: UsageReader,
        store: EventStore,
        codec: Codec,
        writer: Writes,
        clocks: Mapping[bool, Clock],
        *,
        poll_seconds: float = 1.0,
        page_rows_max: int = 200,
        pages_max: int = 20,
        meter: Meter | None = None,
    ) -> None:
        """`clocks` by livemode. `pages_max`: what one sweep works off; the rest is for the next."""
        self._reads = reads
        self._usage = usage
        self._store = store
        self._codec = codec
        self._writer = writer
        self._clocks = clocks
        self._poll_seconds = poll_seconds
        self._page_rows_max = page_rows_max
        self._pages_max = pages_max
        self._meter = meter
        self._cursors: dict[bool, Cursor] = {}
        self._not_yet: OrderedDict[str, tuple[datetime, timedelta]] = OrderedDict()
        self._behind: set[int] = (
            set()
        )  # partitions of which usage is not counted yet, in this sweep
        self._failures = 0

    async def run(self) -> None:
        """Go on until cancelled; whatever fails is tried again, with growing pauses."""
        wait_seconds = self._poll_seconds
        while True:
            try:
                for livemode in self._clocks:
                    await self.sweep(livemode=livemode)
                wait_seconds = self._poll_seconds
            except ReadModelNotBuilt:
                _log.info("renewals wait for the read models to be built")
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("renewals are looked at again", error=str(error), exc_info=error)
                wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
            await asyncio.sleep(wait_seconds)

    async def sweep(self, *, livemode: bool) -> int:
        """Bring every subscription up to now; how many steps that took. Raises what keeps going wrong;
        the next sweep goes on behind that.
        """
        now, steps = self._clocks[livemode].now(), 0
        self._behind.clear()
        self._failures = 0
        after = self._cursors.pop(livemode, None)
        for _ in range(self._pages_max):
            rows = await self._reads.ask(
                "subscriptions",
                "subscriptions_due",
                {
                    "now": now,
                    "livemode": livemode,
                    "after_due_at": None if after is None else after[0],
                    "after_subscription_id": "" if after is None else after[1],
                    "limit": self._page_rows_max,
                },
            )
            for row in rows:
                if self._is_ripe(row["subscription_id"], now):
                    self._cursors[livemode] = (row["next_at"], row["subscription_id"])
                    steps += await self._attempt(row["merchant_id"], row["subscription_id"], now)
            self._cursors.pop(livemode, None)
            if len(rows) < self._page_rows_max:
                return steps
            after = (rows[-1]["next_at"], rows[-1]["subscription_id"])
        assert after is not None, "there were pages"
        self._cursors[livemode] = after
        return steps

    async def _attempt(self, merchant_id: str, subscription_id: str, now: datetime) -> int:
        """Bring one up, and let none that fails stop the others."""
        try:
            steps = await self._bring_up(merchant_id, subscription_id, now)
        except UsageBehind:
            self._behind.add(partition_of(merchant_id, self._store.partitions))
            return 0
        except ReadModelNotBuilt:
            raise
        except Exception as error:  # a loop's edge: one that is broken must not stop the others
            self._try_later(subscription_id, now)
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                raise
            _log.warning("a renewal has failed", subscription_id=subscription_id, exc_info=error)
            return 0
        self._failures = 0
        return steps

    async def _bring_up(self, merchant_id: str, subscription_id: str, now: datetime) -> int:
        """Step by step until nothing is due any more, or one cannot be done yet."""
        for step in range(STEPS_MAX):
            state, version = await self._load(merchant_id, subscription_id)
            if state is None or state.due_step(now) is None:
                return step
            if not await self._step(merchant_id, state, version, now):
                self._try_later(subscription_id, now)
                return step
        return STEPS_MAX

    def _is_ripe(self, subscription_id: str, now: datetime) -> bool:
        found = self._not_yet.get(subscription_id)
        return found is None or now >= found[0]

    def _try_later(self, subscription_id: str, now: datetime) -> None:
        """What was refused is asked for again less and less often."""
        _, before = self._not_yet.pop(subscription_id, (now, _AGAIN_AFTER_FIRST / 2))
        pause = min(2 * before, _AGAIN_AFTER_MAX)
        self._not_yet[subscription_id] = (now + pause, pause)
        if len(self._not_yet) > _NOT_YET_MAX:
            self._not_yet.popitem(last=False)

    async def _step(
        self, merchant_id: str, state: Subscription, version: int, now: datetime
    ) -> bool:
        keys = usage_due(state, now)
        if keys and partition_of(merchant_id, self._store.partitions) in self._behind:
            raise UsageBehind("usage is not counted yet")
        account_id = state.started.credit_account_id
        usage = await self._usage.metered(merchant_id, account_id, keys) if keys else {}
        # The version names what the step follows from: seen again, it is the same step.
        id_ = command_id("renewal", state.subscription_id, str(version), now.isoformat())
        origin = Origin(id_, merchant_id, "process:renewals", fingerprint=id_.bytes)
        made = advance(origin, Advance(state.subscription_id, account_id, usage, now))
        (outcome,) = await self._writer.submit_many([made])
        is_done = isinstance(outcome, Done)
        if not is_done:
            _log.warning(
                "a renewal is not made yet", subscription_id=state.subscription_id, why=str(outcome)
            )
        if self._meter is not None:
            said = "made" if is_done else "not_yet"
            self._meter.add("subscription_steps", 1, outcome=said)
        return is_done

    async def _load(
        self, merchant_id: str, subscription_id: str
    ) -> tuple[Subscription | None, int]:
        partition = partition_of(merchant_id, self._store.partitions)
        state: Subscription | None = None
        version = 0
        while True:
            events = await self._store.read_stream(
                partition, subscription_id, after_version=version, limit=_EVENTS_MAX
            )
            for event in events:
                state = SUBSCRIPTION.evolve(state, self._codec.decode(event))
                version = event.version
            if len(events) < _EVENTS_MAX:
                return state, version
