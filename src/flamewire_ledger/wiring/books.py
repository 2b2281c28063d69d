"""The books for the command line: the journal of a merchant at a moment, over an opened ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flamewire_ledger.api.currencies import FIAT
from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.domain.merchant import merchant_id_of
from flamewire_ledger.domain.price import owner_id
from flamewire_ledger.domain.rejection import NotFound, UnknownAsset
from flamewire_ledger.queries.journal import READ_MODELS, Journal, recorded_at
from flamewire_ledger.store.event_store import StoreUnavailable, partition_of
from flamewire_ledger.wiring.ledger import Ledger

_BEHIND_SECONDS_MAX: Final = 30.0


async def moment_of(
    ledger: Ledger,
    *,
    merchant: str,
    livemode: bool,
    as_of: int | datetime | None = None,
    currency: str | None = None,
) -> Moment:
    """The books of a merchant by name, at a position or time; by default at the end of the log.

    Raises NotFound for a merchant or a moment that is not there, UnknownAsset for a currency,
    StoreUnavailable when the read models do not come so far.
    """
    merchant_id = merchant_id_of(merchant, livemode=livemode)
    money = FIAT.get((currency or ledger.settings.functional_currency).upper())
    if money is None:
        raise UnknownAsset("no such currency: it is an ISO 4217 code, such as USD")
    partition = partition_of(merchant_id, ledger.store.partitions)
    position = await _position(ledger, partition, as_of)
    prices = partition_of(owner_id(livemode=livemode), ledger.store.partitions)
    await _reached(ledger, partition, position, READ_MODELS)
    await _reached(ledger, prices, await ledger.store.head(prices), ("price_history",))
    if await ledger.reads.merchant(merchant_id) is None:
        mode = "live" if livemode else "test"
        raise NotFound(f"there is no {mode} merchant {merchant}: see `flamewire keys list`")
    at = await recorded_at(ledger.store, partition, position)
    chains = [it for it in ledger.chains if it.network.livemode == livemode]
    listed = {token.asset.code for it in chains for token in it.network.tokens}
    return Moment(merchant_id, livemode, position, at or ledger.clock.now(), money, listed)


def journal_of(ledger: Ledger, moment: Moment, *, with_credits: bool = True) -> Journal:
    return Journal(ledger.reads, moment, with_credits=with_credits)


async def _position(ledger: Ledger, partition: int, as_of: int | datetime | None) -> int:
    head = await ledger.store.head(partition)
    if as_of is None:
        return head
    if isinstance(as_of, datetime):
        return await ledger.store.position_at(partition, as_of)
    if as_of > head:
        raise NotFound(f"the last position is {head}")
    return as_of


async def _reached(ledger: Ledger, partition: int, position: int, names: tuple[str, ...]) -> None:
    if not await ledger.reads.wait_for(partition, position, names, _BEHIND_SECONDS_MAX):
        raise StoreUnavailable(
            f"the read models are behind position {position}: is `flamewire up` or a projector running?"
        )
