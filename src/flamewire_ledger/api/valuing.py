"""Valuing: the journal of the caller's books at a moment, in the currency that was asked for."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.currencies import FIAT
from flamewire_ledger.api.reading import as_of, head_reached
from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.price import owner_id
from flamewire_ledger.queries.journal import READ_MODELS, Journal, recorded_at
from flamewire_ledger.store.event_store import partition_of

ENTRIES_MAX: Final = (
    200_000  # followed for one answer; the command line follows as many as there are
)


async def moment_of(call: Call, text: str | None, valuation: str | None) -> Moment:
    """What `as_of` and `valuation` mean, once all that it is answered from has come so far.

    Without `as_of` it is the end of the log, which the answer says: asked for again with that
    position it is the same.
    """
    currency = currency_of(valuation or call.parts.functional_currency)
    store = call.parts.store
    if text is None:
        position = await store.head(call.partition)
        await head_reached(call, *READ_MODELS)
    else:
        position = await as_of(call, text, *READ_MODELS)
    await _prices_reached(call)
    at = await recorded_at(store, call.partition, position)
    listed = {token.asset.code for chain in call.chains for token in chain.network.tokens}
    livemode = call.caller.livemode
    now = call.parts.live.clock.now()
    return Moment(call.merchant_id, livemode, position, at or now, currency, listed)


def currency_of(code: str) -> Asset:
    """The money of a state, by its ISO 4217 code."""
    currency = FIAT.get(code.upper())
    if currency is None:
        raise problems.wrong_parameter("valuation", "it is an ISO 4217 code, such as USD")
    return currency


async def _prices_reached(call: Call) -> None:
    """Prices are in streams of the ledger's own, which may be in another partition."""
    partitions = call.parts.store.partitions
    partition = partition_of(owner_id(livemode=call.caller.livemode), partitions)
    if partition == call.partition:
        return
    head = await call.parts.store.head(partition)
    seconds = call.parts.limits.wait_seconds_max
    if not await call.parts.reads.wait_for(partition, head, ("price_history",), seconds):
        raise problems.projection_behind(head)


def journal_of(call: Call, moment: Moment, *, with_credits: bool = True) -> Journal:
    return Journal(call.parts.reads, moment, with_credits=with_credits)


class Counted:
    """Refuses to follow more postings than one answer may take."""

    def __init__(self) -> None:
        self._entries = 0

    def take(self, entries: int) -> None:
        self._entries += entries
        if self._entries > ENTRIES_MAX:
            raise problems.wrong_parameter(
                "as_of",
                f"there are more than {ENTRIES_MAX} postings: use `flamewire report` or an export",
            )
