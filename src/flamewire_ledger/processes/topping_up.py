"""Topping up: where credits run low and a rule says so, a payment is asked for, once.

The read models know where that may be, and which request is over; the domain has the last word, on
the account itself and on the payment itself. Whoever makes the payment is handed in: it takes prices
and addresses, which a process knows nothing of. What could not be asked for is asked about again ever
less often; a request that no intent can be made for is recorded as refused, and left alone for an
hour. Several workers may run: each request has one name, and happens once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from flamewire_ledger.commands import top_up as commands
from flamewire_ledger.commands.decider import Done, Envelope, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.domain.top_up import RefuseTopUp, RequestTopUp
from flamewire_ledger.processes.deadlines import Clock
from flamewire_ledger.processes.reactor import Meter
from flamewire_ledger.queries.database import ReadModelNotBuilt

_log = structlog.get_logger(__name__)
READ_MODEL: Final = "top_ups"
_ACTOR: Final = "process:top_ups"
_WAIT_SECONDS_MAX: Final = 15.0
_LOOKING_SHARE_MAX: Final = 20  # of the time, one part in so many is spent on looking
_AGAIN_AFTER_FIRST: Final = timedelta(seconds=2)
_AGAIN_AFTER_MAX: Final = timedelta(seconds=60)
_ASKED_MAX: Final = 10_000
FAILURES_MAX: Final = 5  # in a row: then it is not the rules that are at fault

Row = Mapping[str, Any]


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...


class Writes(Protocol):
    """The writer, as far as this needs it."""

    async def submit(self, envelope: Envelope) -> Outcome: ...


class Asked(Protocol):
    """A payment that is ready to be asked for."""

    @property
    def envelope(self) -> Envelope: ...

    @property
    def payment_id(self) -> str: ...

    @property
    def due(self) -> Amount: ...

    @property
    def at(self) -> datetime: ...


class Intents(Protocol):
    """Makes payment intents, by the same rules as the API."""

    async def make(self, row: Row, amount: Amount, origin: Origin, *, livemode: bool) -> Asked:
        """A command for a payment that buys these credits, as the rule of `row` wants it.

        Raises a Rejection where there is no price, no address, or no such way to pay any more.
        """


class ToppingUp:
    """`run` looks until cancelled; `sweep` does what is to be done now."""

    def __init__(
        self,
        reads: ReadModels,
        writer: Writes,
        intents: Intents,
        clocks: Mapping[bool, Clock],
        *,
        poll_seconds: float = 0.5,
        page_rows_max: int = 100,
        pages_max: int = 20,
        meter: Meter | None = None,
    ) -> None:
        """`clocks` by livemode. `pages_max`: what one sweep looks through; the rest is for the next."""
        self._reads = reads
        self._writer = writer
        self._intents = intents
        self._clocks = clocks
        self._poll_seconds = poll_seconds
        self._page_rows_max = page_rows_max
        self._pages_max = pages_max
        self._meter = meter
        self._asked: OrderedDict[str, tuple[datetime, timedelta]] = OrderedDict()
        self._cursors: dict[tuple[bool, str], str] = {}  # how far a sweep has come
        self._failures = 0

    async def run(self) -> None:
        """Go on until cancelled; whatever fails is tried again, with growing pauses."""
        loop = asyncio.get_running_loop()
        wait_seconds = self._poll_seconds
        while True:
            began = loop.time()
            try:
                for livemode in self._clocks:
                    await self.sweep(livemode=livemode)
                # Rules are looked through one by one: where there are many, less often.
                wait_seconds = max(self._poll_seconds, (loop.time() - began) * _LOOKING_SHARE_MAX)
            except ReadModelNotBuilt:
                _log.info("top-ups wait for the read models to be built")
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("top-ups are looked at again", error=str(error), exc_info=error)
                wait_seconds = 2 * wait_seconds
            await asyncio.sleep(min(wait_seconds, _WAIT_SECONDS_MAX))

    async def sweep(self, *, livemode: bool) -> int:
        """Close what is over, open again what was taken back, then ask where credits are short; how many
        commands were recorded.

        A sweep that ends before everything was looked at goes on there the next time. One that is
        broken stops no other; what keeps going wrong is raised, and the next sweep goes on behind it.
        """
        now, met = self._clocks[livemode].now(), 0
        self._failures = 0
        for question in ("top_ups_to_close", "top_ups_taken_back", "top_ups_due"):
            place = livemode, question
            for _ in range(self._pages_max):
                rows = await self._reads.ask(
                    READ_MODEL,
                    question,
                    {
                        "now": now,
                        "livemode": livemode,
                        "after": self._cursors.get(place, ""),
                        "limit": self._page_rows_max,
                    },
                )
                for row in rows:
                    self._cursors[place] = row["top_up_id"]
                    met += await self._attempt(question, row, now, livemode=livemode)
                if len(rows) < self._page_rows_max:
                    self._cursors.pop(place, None)
                    break
        return met

    async def _attempt(self, question: str, row: Row, now: datetime, *, livemode: bool) -> bool:
        try:
            match question:
                case "top_ups_to_close":
                    is_done = await self._close(row, now)
                case "top_ups_taken_back":
                    is_done = await self._reopen(row, now)
                case _:
                    is_done = await self._ask(row, now, livemode=livemode)
        except Exception as error:  # a loop's edge: one that is broken must not stop the others
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                raise
            _log.warning("a top-up has failed", top_up=row["top_up_id"], exc_info=error)
            return False
        self._failures = 0
        return is_done

    async def _close(self, row: Row, now: datetime) -> bool:
        payment_id = row["payment_id"]
        origin = _origin(row, "close", payment_id, now.isoformat())
        envelope = commands.close(origin, row["top_up_id"], payment_id, row["account_id"], now)
        return self._told(row, "closed", await self._writer.submit(envelope))

    async def _reopen(self, row: Row, now: datetime) -> bool:
        origin = _origin(row, "reopen", row["payment_id"], now.isoformat())
        envelope = commands.reopen(origin, row["top_up_id"], row["payment_id"], now)
        return self._told(row, "reopened", await self._writer.submit(envelope))

    async def _ask(self, row: Row, now: datetime, *, livemode: bool) -> bool:
        """A request is named by its number: whoever asks a second time asks for the same one."""
        name = row["top_up_id"]
        if name in self._asked and now < self._asked[name][0]:
            return False
        self._remember(name, now)
        amount = _wanted(row)
        origin = _origin(row, "request", str(row["requests"] + 1))
        try:
            asked = await self._intents.make(row, amount, origin, livemode=livemode)
        except Rejection as refusal:
            return await self._refuse(row, refusal, now)
        # What is available is found out when it is decided.
        command = RequestTopUp(name, asked.payment_id, amount, asked.due, 0, asked.at)
        envelope = commands.request(asked.envelope, row["account_id"], command, row["paid"])
        return self._told(row, "requested", await self._writer.submit(envelope))

    async def _refuse(self, row: Row, refusal: Rejection, now: datetime) -> bool:
        name = row["top_up_id"]
        origin = _origin(row, "refuse", str(row["requests"] + 1), now.isoformat())
        command = RefuseTopUp(name, refusal.code, refusal.detail, now)
        _log.warning("a top-up could not be asked for", top_up=name, why=refusal.code)
        return self._told(
            row, "refused", await self._writer.submit(commands.envelope(origin, command))
        )

    def _told(self, row: Row, what: str, outcome: Outcome) -> bool:
        is_done = isinstance(outcome, Done) and not outcome.replayed
        if is_done:
            self._asked.pop(row["top_up_id"], None)
        else:
            _log.debug("a top-up is not due", top_up=row["top_up_id"], why=str(outcome))
        if self._meter is not None:
            self._meter.add("top_ups", 1, outcome=what if is_done else "not_yet")
        return is_done

    def _remember(self, name: str, now: datetime) -> None:
        _, pause = self._asked.pop(name, (now, timedelta(0)))
        pause = min(2 * pause, _AGAIN_AFTER_MAX) if pause else _AGAIN_AFTER_FIRST
        self._asked[name] = (now + pause, pause)
        if len(self._asked) > _ASKED_MAX:
            self._asked.popitem(last=False)


def _wanted(row: Row) -> Amount:
    """How much to ask for, by what the read model knows to be available; no more than day and month
    leave of a target.
    """
    if row["amount_units"] is not None:
        return Amount(CREDIT, int(row["amount_units"]))
    wanted = int(row["target_units"]) - int(row["available_units"])
    room = row["room_units"]
    return Amount(CREDIT, wanted if room is None else min(wanted, int(room)))


def _origin(row: Row, *names: str) -> Origin:
    id_ = command_id("top_up", row["top_up_id"], *names)
    return Origin(id_, row["merchant_id"], _ACTOR, fingerprint=id_.bytes)
