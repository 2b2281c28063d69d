"""Payment options: the ways to pay a request, each with its amount, its address and the rate that
is promised.

Without `pay_with`, every asset of every network of the caller's mode is offered; one whose price is
not to be had is left out, so that one silent source does not close the shop; so is one of which so
little would not arrive. What was asked for by name is offered or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from flamewire_ledger.api import shared_amounts
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.currencies import find_chain, find_token
from flamewire_ledger.api.models.payment_intents import CreatePaymentIntent, PayWith
from flamewire_ledger.api.pricing import Till
from flamewire_ledger.chains.chain import Chain, Deposit, Token
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, Rate
from flamewire_ledger.domain.payment import PaymentOption
from flamewire_ledger.domain.price_lock import LockPrice, PriceLock, UsePriceLock
from flamewire_ledger.domain.rejection import (
    AddressesUsedUp,
    InvalidAmount,
    Malformed,
    PriceUnavailable,
    UnknownNetwork,
)

OPTIONS_MAX: Final = 32


@dataclass(slots=True)  # not frozen, as all here that is made by the thousand and goes nowhere
class Way:
    """An asset on a network to pay with, before it has a price and an address."""

    chain: Chain
    token: Token


@dataclass(slots=True)
class Terms:
    """A way with its due, and the lock that promises it (None: it is the currency itself)."""

    way: Way
    due: Amount
    lock: LockPrice | UsePriceLock | None


@dataclass(slots=True)
class Moment:
    """The payment the options are for, and the time it lives in."""

    payment_id: str
    command_id: str  # names the locks that are made for it
    now: datetime
    expires_at: datetime


@dataclass(slots=True)
class Networks:
    """The networks a request names."""

    only: Chain | None  # in `network`
    named: Sequence[Chain]  # in `pay_with`, in its order; where there is no `network`

    @property
    def one(self) -> Chain | None:
        """The one network it is about, if it is one."""
        if self.only is not None or not self.named:
            return self.only
        first = self.named[0]
        return first if self.named.count(first) == len(self.named) else None


def networks(chains: Sequence[Chain], body: CreatePaymentIntent) -> Networks:
    """Raises UnknownNetwork with the pointer."""
    if body.network is not None:
        return Networks(find_chain(chains, body.network, "/network"), ())
    if body.pay_with is None:
        return Networks(None, ())
    return Networks(
        None, [_named(chains, index, wanted) for index, wanted in enumerate(body.pay_with)]
    )


def _named(chains: Sequence[Chain], index: int, wanted: PayWith) -> Chain:
    return find_chain(chains, wanted.network, f"/pay_with/{index}/network")


def ways(
    chains: Sequence[Chain], body: CreatePaymentIntent, asked: Networks
) -> tuple[Sequence[Way], bool]:
    """The ways asked for, and whether they were asked for by name. Raises Unknown… with the
    pointer.
    """
    only = asked.only
    if body.pay_with is None:
        offered = [only] if only is not None else chains
        return [Way(chain, token) for chain in offered for token in chain.network.tokens], False
    found: list[Way] = []
    for index, wanted in enumerate(body.pay_with):
        chain = asked.named[index] if only is None else _named(chains, index, wanted)
        token = find_token(chain, wanted.asset, f"/pay_with/{index}/asset")
        if only is not None and chain is not only:
            pointer = f"/pay_with/{index}/network"
            raise Malformed(f"`network` says {only.network.name}", pointer=pointer)
        for way in found:
            if way.token is token and way.chain is chain:
                pointer = f"/pay_with/{index}"
                raise Malformed("this way to pay is there twice", pointer=pointer)
        found.append(Way(chain, token))
    return found, True


async def terms(
    call: Call, offered: Sequence[Way], by_name: bool, amount: Amount, moment: Moment
) -> Sequence[Terms]:
    """Each way with its due at the rate of now. Raises PriceUnavailable or InvalidAmount when none is
    left.
    """
    found: list[Terms] = []
    unavailable: PriceUnavailable | InvalidAmount | None = None
    till = call.till(moment.now)
    for way in offered[:OPTIONS_MAX]:
        try:
            one = await _terms(till, way, amount, moment)
            _refuse_too_little(one)
            found.append(one)
        except (PriceUnavailable, InvalidAmount) as error:
            if by_name:
                raise
            unavailable = error
    if found:
        return found
    raise unavailable or UnknownNetwork(
        "this ledger takes no payments with such a key: no network is set up for it",
        pointer="/network",
    )


def _refuse_too_little(one: Terms) -> None:
    """Raises InvalidAmount where a transfer of what is due would not arrive."""
    token, due = one.way.token, one.due
    if due.units < token.least_units:
        least = Amount(due.asset, token.least_units)
        raise InvalidAmount(
            f"{due.text} {due.asset.symbol} would not arrive: on {one.way.chain.network.name} an "
            f"account begins with {least.text}; ask for more, or on another network",
            pointer="/amount",
        )


async def _terms(till: Till, way: Way, amount: Amount, moment: Moment) -> Terms:
    asset = way.token.asset
    if asset.symbol == amount.asset.symbol:
        one_for_one = Rate(asset, amount.asset, Decimal(1))
        return Terms(way, one_for_one.base_for(amount), None)
    priced = await till.rate(asset, amount.asset)
    lock = LockPrice(
        lock_id=derived_id("pl", moment.now, moment.command_id, asset.code),
        rate=priced.rate,
        quotes=priced.quotes,
        pricing=priced.pricing,
        locked_at=moment.now,
        expires_at=moment.expires_at,
        payment_id=moment.payment_id,
    )
    return Terms(way, priced.rate.base_for(amount), lock)


def locked_terms(
    lock: PriceLock, offered: Sequence[Way], by_name: bool, amount: Amount, moment: Moment
) -> Sequence[Terms]:
    """The one way to pay that a lock made before is for; it has to be what the request says."""
    rate = lock.locked.rate
    if rate.quote != amount.asset:
        raise Malformed(
            f"this lock is in {rate.quote.code}, the amount in {amount.asset.code}",
            pointer="/price_lock_id",
        )
    matching = [way for way in offered if way.token.asset == rate.base]
    if not matching or (by_name and len(offered) > 1):
        raise Malformed(
            f"this lock is for {rate.base.code}: it is the one thing to pay with",
            pointer="/price_lock_id",
        )
    use = UsePriceLock(lock.locked.lock_id, moment.payment_id, moment.now)
    one = Terms(matching[0], rate.base_for(amount), use)
    _refuse_too_little(one)
    return [one]


async def options(
    call: Call, agreed: Sequence[Terms], recipient: str | None, *, by_name: bool
) -> tuple[PaymentOption, ...]:
    """The options with their addresses: one address a network, made for this payment, given by the
    merchant, or shared with other payments.

    A network whose addresses are used up is left out; where it was asked for by name, or there is
    no other, that is raised.
    """
    deposits: dict[str, Deposit | None] = {}
    found: list[PaymentOption] = []
    used_up: AddressesUsedUp | None = None
    for one in agreed:
        chain_id = one.way.chain.network.chain_id
        if chain_id not in deposits:
            try:
                deposits[chain_id] = await _deposit(call, one.way.chain, recipient, agreed)
            except AddressesUsedUp as error:
                if by_name:
                    raise
                deposits[chain_id], used_up = None, error
        deposit = deposits[chain_id]
        if deposit is not None:
            found.append(_option(one, deposit))
    if not found and used_up is not None:
        raise used_up
    return tuple(found)


async def _deposit(
    call: Call, chain: Chain, recipient: str | None, agreed: Sequence[Terms]
) -> Deposit:
    if recipient is not None:
        return Deposit(recipient, derivation="")
    if chain.network.identifies_by == "amount":
        return await shared_amounts.deposit(
            call, chain, [one.due for one in agreed if one.way.chain is chain]
        )
    index = await call.parts.deposit_indexes.take(chain.network.chain_id)
    try:
        return chain.deposit(index)
    except AddressesUsedUp:
        # Else each request until there are new addresses would use one of them up beforehand.
        call.parts.deposit_indexes.give_back(chain.network.chain_id, index)
        raise


def _option(one: Terms, deposit: Deposit) -> PaymentOption:
    chain, token, network = one.way.chain, one.way.token, one.way.chain.network
    due = one.due
    if deposit.adds_units:
        due = Amount(due.asset, due.units + deposit.adds_units)
    # An address that the merchant gave serves this one payment, on whatever network.
    identified_by = network.identifies_by if deposit.derivation else "address"
    return PaymentOption(
        network=network.name,
        chain_id=network.chain_id,
        asset_id=token.asset_id,
        due=due,
        address=deposit.address,
        uri=chain.payment_uri(token, deposit.address, due.units, deposit.memo),
        price_lock_id=one.lock.lock_id if one.lock is not None else None,
        derivation=deposit.derivation or None,
        identified_by=identified_by,
        memo=deposit.memo,
        mark=deposit.mark,
    )
