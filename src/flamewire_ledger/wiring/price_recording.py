"""Who records prices: one process of each mode, whoever has the turn; and the past, filled in by hand."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from flamewire_ledger.commands import price as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Decision, Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.price import (
    BackfillPrices,
    PricesBackfilled,
    Sample,
    owner_id,
    price_id,
)
from flamewire_ledger.domain.rejection import Rejection, UnknownAsset
from flamewire_ledger.processes.price_recording import PriceRecording
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.prices import coingecko

_log = structlog.get_logger(__name__)
_LOOK_SECONDS: Final = 2.0  # until anybody asks for a price there is nothing to record
_AGAIN_SECONDS: Final = 1.0
_SAMPLES_AT_ONCE: Final = 500
_SOURCE: Final = "coingecko"


def recordings(ledger: Ledger, writer: Writer) -> Sequence[PriceRecorder]:
    """One for each mode that there are prices of."""
    modes = [True, False] if ledger.settings.sandbox else [True]
    return [PriceRecorder(ledger, writer, livemode=livemode) for livemode in modes]


class PriceRecorder:
    """Records the prices of one mode whenever it is its turn, until it is cancelled."""

    def __init__(self, ledger: Ledger, writer: Writer, *, livemode: bool) -> None:
        mode = "live" if livemode else "test"
        chains = [chain for chain in ledger.chains if chain.network.livemode == livemode]
        symbols = {token.asset.symbol for chain in chains for token in chain.network.tokens}
        self._recording = PriceRecording(
            ledger.prices if livemode else ledger.sandbox_prices,
            writer,
            ledger.now_of(livemode=livemode),
            livemode=livemode,
            always=symbols if livemode else (),
        )
        who = f"{socket.gethostname()}:{os.getpid()}"
        self._turn = PostgresChainTurn(ledger.connections, f"prices of {mode}", name=who)

    async def run(self) -> None:
        has_something = False
        while True:
            # Nobody tells that a price was asked for, in this process or another one.
            await asyncio.sleep(_AGAIN_SECONDS if has_something else _LOOK_SECONDS)
            has_something = has_something or await self._recording.has_something()
            if not has_something:
                continue
            try:
                async with self._turn.taken() as lost:
                    await self._recording.run(until=lost)
            except StoreUnavailable as error:
                _log.warning("the turn to record prices is not to be had", error=str(error))


async def backfill(ledger: Ledger, symbol: str, days: int, *, livemode: bool = True) -> int:
    """Fill in the dollar prices of the last days, as CoinGecko has them; how many were new. The
    sandbox has a past only where it has sources.

    Doing it again adds what is missing. Raises UnknownAsset for what it does not know, and
    FeedUnavailable.
    """
    feed = coingecko(ledger.settings, livemode=livemode)
    try:
        past = await feed.past(symbol, days)
    finally:
        await feed.aclose()
    if not past:
        raise UnknownAsset(f"CoinGecko knows no past of {symbol}")
    samples = [Sample(dollars, at) for at, dollars in past]
    added = 0
    covers_from: datetime | None = None
    async with ledger.writing() as writer:
        for first in range(0, len(samples), _SAMPLES_AT_ONCE):
            part = tuple(samples[first : first + _SAMPLES_AT_ONCE])
            added += await _record(writer, symbol, part, covers_from, livemode)
            covers_from = part[-1].at
    return added


async def _record(
    writer: Writer,
    symbol: str,
    samples: tuple[Sample, ...],
    covers_from: datetime | None,
    livemode: bool,
) -> int:
    stream_id, owner = price_id(symbol, livemode=livemode), owner_id(livemode=livemode)
    content = "\n".join(f"{it.at.isoformat()} {it.dollars}" for it in samples)
    digest = hashlib.sha256(content.encode()).digest()
    origin = Origin(command_id("backfill", stream_id, digest.hex()), owner, "cli", digest)
    command = BackfillPrices(stream_id, symbol, _SOURCE, samples, covers_from)
    outcome = await writer.submit(commands.envelope(origin, command, _added))
    if isinstance(outcome, Rejection):
        raise outcome
    if not isinstance(outcome, Done):
        raise StoreUnavailable("other writers were in the way: run it again, nothing is done twice")
    return 0 if outcome.replayed or outcome.answer is None else int(outcome.answer)


def _added(decision: Decision) -> bytes:
    """How many samples were new."""
    facts = [fact for facts in decision.facts.values() for fact in facts]
    return str(sum(len(it.samples) for it in facts if isinstance(it, PricesBackfilled))).encode()
