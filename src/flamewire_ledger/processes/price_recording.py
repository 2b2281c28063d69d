"""Recording prices: what the board knows becomes samples and alerts in the log, a bounded number of them.

It looks at what was asked for and has a price; how often a sample is taken is the domain's to say.
One process of a mode does this, whoever has the turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import structlog

from flamewire_ledger.commands import price as commands
from flamewire_ledger.commands.decider import Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.price import (
    ObservePrice,
    Sampling,
    SilentSource,
    SourceSaid,
    owner_id,
    price_id,
)
from flamewire_ledger.domain.price_lock import Quote

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_MAX: Final = 60.0
_SYMBOLS_MAX: Final = 256
_REASON_MAX: Final = 200


class BoardPrice(Protocol):
    @property
    def dollars(self) -> Decimal: ...


class Standing(Protocol):
    """What is asked of prices.standing.Standing."""

    @property
    def symbol(self) -> str: ...

    @property
    def quotes(self) -> tuple[Quote, ...]: ...

    @property
    def price(self) -> BoardPrice | None: ...

    @property
    def is_good(self) -> bool: ...


class Board(Protocol):
    """What is asked of prices.board.PriceBoard."""

    async def followed(self) -> frozenset[str]: ...

    async def standings(self, symbols: Iterable[str], now: datetime) -> Sequence[Standing]: ...


class Writer(Protocol):
    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


@dataclass(frozen=True, slots=True)
class _Silence:
    since: datetime
    reason: str


class PriceRecording:
    """`run` looks until it is cancelled; `look` once."""

    def __init__(
        self,
        board: Board,
        writer: Writer,
        now: Callable[[], datetime],
        *,
        livemode: bool,
        always: Iterable[str] = (),
        sampling: Sampling | None = None,
        poll_seconds: float = 5.0,
    ) -> None:
        """`always`: symbols that are followed whether or not anybody asked."""
        self._board = board
        self._writer = writer
        self._now = now
        self._livemode = livemode
        self._always = frozenset(always)
        self._sampling = sampling or Sampling()
        self._poll_seconds = poll_seconds
        self._silent: dict[tuple[str, str], _Silence] = {}  # by symbol and source

    async def run(self, until: asyncio.Event | None = None) -> None:
        """Go on until cancelled, or the event is set; whatever fails is tried again, with pauses."""
        wait_seconds = self._poll_seconds
        while until is None or not until.is_set():
            try:
                await self.look()
                wait_seconds = self._poll_seconds
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("prices_not_recorded", error=str(error), exc_info=error)
                wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
            await asyncio.sleep(wait_seconds)

    async def has_something(self) -> bool:
        """Whether there is anything to follow."""
        return bool(self._always or await self._board.followed())

    async def look(self) -> int:
        """Take in what the board says of everything that is followed; how many had news."""
        symbols = sorted(self._always | await self._board.followed())[:_SYMBOLS_MAX]
        if not symbols:
            return 0
        now = self._now()
        standings = await self._board.standings(symbols, now)
        envelopes = [self._envelope(each, now) for each in standings]
        outcomes = await self._writer.submit_many(envelopes) if envelopes else ()
        return sum(isinstance(outcome, Done) and outcome.position > 0 for outcome in outcomes)

    def _envelope(self, standing: Standing, now: datetime) -> Envelope:
        stream_id = price_id(standing.symbol, livemode=self._livemode)
        price = standing.price
        command = ObservePrice(
            price_id=stream_id,
            symbol=standing.symbol,
            dollars=price.dollars if price is not None and standing.is_good else None,
            said=tuple(SourceSaid(it.source, it.price, it.dropped) for it in standing.quotes),
            silent=self._silences(standing, now),
            at=now,
            sampling=self._sampling,
        )
        name = command_id("observe price", stream_id, now.isoformat())
        origin = Origin(name, owner_id(livemode=self._livemode), "process:price_recording")
        return commands.envelope(origin, command)

    def _silences(self, standing: Standing, now: datetime) -> tuple[SilentSource, ...]:
        """Whoever does not count at present, since it last did, or since we first looked."""
        silent: list[SilentSource] = []
        for quote in standing.quotes:
            key = (standing.symbol, quote.source)
            if quote.dropped is None:
                self._silent.pop(key, None)
                continue
            silence = self._silent.get(key) or _Silence(now, quote.dropped[:_REASON_MAX])
            self._silent[key] = silence
            silent.append(SilentSource(quote.source, silence.reason, silence.since))
        return tuple(silent)
