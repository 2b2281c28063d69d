"""Deadlines: when time is up, say so. Payments, price locks, holds and grants end by the clock of
their merchant, days on which bought credits were burnt are closed, and invoices fall due.

The read models know whose time is up; the domain has the last word. What cannot end yet (a transfer
is on its way) is asked about again later, less and less often. After an outage everything that is
overdue is worked off, page by page. Every poll is a command of its own: one that was true an hour
ago must not stand for one that is true now. While nothing is recorded no deadline can appear, so a
ledger that is idle is asked for the next few seconds at once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import (
    CloseDay,
    ExpireGrant,
    ExpireHold,
    GrantRecurring,
    WarnOfExpiry,
)
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.invoice import NoteOverdue
from flamewire_ledger.domain.payment import ExpirePayment
from flamewire_ledger.domain.price_lock import ExpirePriceLock
from flamewire_ledger.processes.envelopes import ProcessCommand, envelope_of
from flamewire_ledger.processes.reaction import Writes
from flamewire_ledger.processes.reactor import Meter
from flamewire_ledger.queries.database import ReadModelNotBuilt

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_MAX: Final = 15.0
_LOOK_AHEAD: Final = timedelta(seconds=5)
_AGAIN_AFTER_FIRST: Final = timedelta(seconds=2)
_AGAIN_AFTER_MAX: Final = timedelta(seconds=60)
_ASKED_MAX: Final = 50_000

# (due_at, subject_id) of a row: rows are paged in this order.
Cursor = tuple[datetime, str]
_BEGINNING: Final = timedelta(days=365 * 100)


class Clock(Protocol):
    """The time that merchants of one mode live by."""

    def now(self) -> datetime: ...


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def due_deadlines(
        self, now: datetime, *, livemode: bool, limit: int = ..., after: Cursor = ...
    ) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """When the domain was last asked about a deadline, and when to ask again."""

    again_at: datetime
    pause: timedelta


class Deadlines:
    """`run` polls until cancelled; `sweep` meets everything that is due now."""

    def __init__(
        self,
        reads: ReadModels,
        writer: Writes,
        clocks: Mapping[bool, Clock],
        *,
        poll_seconds: float = 0.25,
        page_rows_max: int = 500,
        pages_max: int = 40,
        recorded: Callable[[], object] | None = None,
        quiet_seconds: float = 2.0,
        meter: Meter | None = None,
    ) -> None:
        """`clocks` by livemode. `pages_max`: what one sweep works off; the rest is for the next.

        `recorded` answers something else whenever events were recorded since; `quiet_seconds` after
        the last of them the read models have what there is.
        """
        self._reads = reads
        self._writer = writer
        self._clocks = clocks
        self._poll_seconds = poll_seconds
        self._page_rows_max = page_rows_max
        self._pages_max = pages_max
        self._recorded = recorded
        self._meter = meter
        self._quiet_seconds = quiet_seconds
        self._last_recorded: object = None
        self._quiet_since = float("inf")
        self._nothing_until: dict[bool, datetime] = {}
        self._asked: OrderedDict[tuple[str, str], _Asked] = OrderedDict()
        self._cursors: dict[bool, Cursor] = {}

    async def run(self) -> None:
        """Go on until cancelled; whatever fails is tried again, with growing pauses."""
        wait_seconds = self._poll_seconds
        while True:
            try:
                is_quiet = self._is_quiet(asyncio.get_running_loop().time())
                for livemode in self._clocks:
                    if not (is_quiet and await self._is_nothing_near(livemode)):
                        await self.sweep(livemode=livemode)
                wait_seconds = self._poll_seconds
            except ReadModelNotBuilt:
                _log.info("deadlines wait for the read models to be built")
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("deadlines are looked at again", error=str(error), exc_info=error)
                wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
            await asyncio.sleep(wait_seconds)

    def _is_quiet(self, seconds: float) -> bool:
        """Whether nothing was recorded for a while."""
        if self._recorded is None:
            return False
        if (recorded := self._recorded()) != self._last_recorded:
            self._last_recorded, self._quiet_since = recorded, seconds
            self._nothing_until.clear()
        return seconds - self._quiet_since >= self._quiet_seconds

    async def _is_nothing_near(self, livemode: bool) -> bool:
        """Whether no time is up before the clock has come to where we looked last, or look now."""
        now = self._clocks[livemode].now()
        if livemode in self._nothing_until and now < self._nothing_until[livemode]:
            return True
        ahead = now + _LOOK_AHEAD
        if await self._reads.due_deadlines(ahead, livemode=livemode, limit=1):
            return False
        self._nothing_until[livemode] = ahead
        return True

    async def sweep(self, *, livemode: bool) -> int:
        """Meet what is due for the merchants of this mode; returns how many commands were recorded.

        A sweep that ends before everything was looked at goes on there the next time.
        """
        now, met = self._clocks[livemode].now(), 0
        after = self._cursors.pop(livemode, (now - _BEGINNING, ""))
        for _ in range(self._pages_max):
            rows = await self._reads.due_deadlines(
                now, livemode=livemode, limit=self._page_rows_max, after=after
            )
            met += await self._meet([row for row in rows if self._is_ripe(row, now)], now)
            if len(rows) < self._page_rows_max:
                return met
            after = (rows[-1]["due_at"], rows[-1]["subject_id"])
        self._cursors[livemode] = after
        return met

    async def _meet(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
        if not rows:
            return 0
        known: list[Mapping[str, Any]] = []
        envelopes: list[Envelope] = []
        for row in rows:
            self._remember(row, now)
            try:
                envelopes.append(_envelope(row, now))
            except Exception as error:  # noqa: BLE001 - one that is broken must not stop the others
                _log.error("a deadline makes no sense", kind=row["kind"], why=str(error))
            else:
                known.append(row)
        outcomes = await self._writer.submit_many(envelopes)
        met = 0
        for row, outcome in zip(known, outcomes, strict=True):
            is_met = isinstance(outcome, Done)
            met += is_met
            if not is_met:
                _log.debug("a deadline is not met yet", kind=row["kind"], why=str(outcome))
            if self._meter is not None:
                said = "met" if is_met else "not_yet"
                self._meter.add("deadlines_due", 1, kind=row["kind"], outcome=said)
        return met

    def _is_ripe(self, row: Mapping[str, Any], now: datetime) -> bool:
        asked = self._asked.get((row["kind"], row["subject_id"]))
        return asked is None or now >= asked.again_at

    def _remember(self, row: Mapping[str, Any], now: datetime) -> None:
        key = (row["kind"], row["subject_id"])
        asked = self._asked.pop(key, None)
        pause = min(2 * asked.pause, _AGAIN_AFTER_MAX) if asked else _AGAIN_AFTER_FIRST
        self._asked[key] = _Asked(now + pause, pause)
        if len(self._asked) > _ASKED_MAX:
            self._asked.popitem(last=False)


def _envelope(row: Mapping[str, Any], now: datetime) -> Envelope:
    names = ("deadline", row["kind"], row["stream_id"], row["subject_id"], now.isoformat())
    id_ = command_id(*names)
    origin = Origin(id_, row["merchant_id"], "process:deadlines", fingerprint=id_.bytes)
    return envelope_of(_command(row, now), origin)


def _command(row: Mapping[str, Any], now: datetime) -> ProcessCommand:
    match row["kind"]:
        case "payment":
            return ExpirePayment(row["subject_id"], now)
        case "price_lock":
            return ExpirePriceLock(row["subject_id"], now)
        case "hold":
            return ExpireHold(row["stream_id"], row["subject_id"], now)
        case "grant":
            return ExpireGrant(row["stream_id"], row["subject_id"], now)
        case "warning":
            return WarnOfExpiry(row["stream_id"], row["subject_id"], now)
        case "recurring_grant":
            return GrantRecurring(row["stream_id"], row["subject_id"], now)
        case "credit_day":
            return CloseDay(row["stream_id"], now)
        case "invoice":
            return NoteOverdue(row["subject_id"], now)
        case kind:
            raise ValueError(f"there is no deadline of kind {kind}")
