"""Planning a sweep for an operator: which addresses of a network were given out, what they hold, and what of
it the ledger never saw come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.ethereum.sweep import Held, NothingToSweepWith, SweepPlan
from flamewire_ledger.chains.forwarders import Forwarders
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import OPTIONS_MAX
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.rescans import chain_called

_PAGE_ROWS: Final = 10_000
_ARRIVED: Final = frozenset({"included", "confirmed"})


@dataclass(frozen=True, slots=True)
class Unseen:
    """More at an address than all transfers to it that the ledger knows."""

    index: int
    address: str
    payment_id: str | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Sweeping:
    """A plan with the network it is for."""

    network: str
    evm_chain_id: int
    forwarders: Forwarders
    plan: SweepPlan
    unseen: tuple[Unseen, ...]


async def planned_sweep(
    ledger: Ledger, name: str, indexes: Sequence[int], sender: str | None
) -> Sweeping:
    """A plan for these numbers, or for all that were given out.

    `name` may be a CAIP-2 id. Raises UnknownNetwork and NothingToSweepWith.
    """
    chain = chain_called(ledger, name)
    if not isinstance(chain, EthereumChain):
        raise NothingToSweepWith(f"{name} is no EVM network of the networks file")
    forwarders = chain.settings.forwarders
    if forwarders is None:
        raise NothingToSweepWith(
            f"{name} has an xpub: its deposits are addresses of your wallet, which spends them"
        )
    names = _sharing(ledger, chain)
    wanted = indexes or await _given_out(ledger, names, forwarders.index_of)
    plan = await chain.plan_sweep(wanted, sender=sender)
    every = (*plan.swept, *(held for held, _ in plan.stuck))
    unseen = await _unseen(ledger, chain.network.name, names, every)
    return Sweeping(chain.network.name, chain.settings.evm_chain_id, forwarders, plan, unseen)


def _sharing(ledger: Ledger, chain: EthereumChain) -> Sequence[str]:
    """The networks with the same addresses, of one factory or one xpub: payers take the wrong one."""
    first = chain.deposit(0).address
    return [
        each.network.name
        for each in ledger.chains
        if isinstance(each, EthereumChain) and each.deposit(0).address == first
    ]


async def unseen_at(
    ledger: Ledger, name: str, indexes: Sequence[int]
) -> tuple[str, Sequence[Unseen]]:
    """The network's name, and what lies at its deposit addresses without a transfer that told of it.

    Of all addresses that were given out, or of these numbers. Raises UnknownNetwork and
    NothingToSweepWith.
    """
    chain = chain_called(ledger, name)
    if not isinstance(chain, EthereumChain):
        raise NothingToSweepWith(f"{name} is no EVM network of the networks file")

    called, names = chain.network.name, _sharing(ledger, chain)
    wanted = indexes or await given_out_on(ledger, chain)
    return called, await _unseen(ledger, called, names, await chain.held(wanted))


async def given_out_on(ledger: Ledger, chain: EthereumChain) -> Sequence[int]:
    """The numbers of all addresses of ours that payers of this network were sent to."""

    def index_of(derivation: str) -> int | None:
        index = derivation.rpartition("/")[2]
        is_ours = index.isdecimal() and chain.deposit(int(index)).derivation == derivation
        return int(index) if is_ours else None

    return await _given_out(ledger, _sharing(ledger, chain), index_of)


async def _given_out(
    ledger: Ledger, names: Sequence[str], index_of: Callable[[str], int | None]
) -> Sequence[int]:
    """The numbers of our addresses that payers of these networks were sent to."""
    found: dict[int, None] = {}
    for name in names:
        position = 0
        while rows := await ledger.reads.deposits_after(name, position, limit=_PAGE_ROWS):
            last = rows[-1]["position"]
            # A page may end in the middle of a payment: its rows come again with the next page.
            is_cut = len(rows) == _PAGE_ROWS and rows[0]["position"] != last
            whole = [row for row in rows if row["position"] != last] if is_cut else rows
            indexes = [index_of(row["derivation"] or "") for row in whole]
            found.update((index, None) for index in indexes if index is not None)
            position = whole[-1]["position"]
    return list(found)


async def _unseen(
    ledger: Ledger, name: str, names: Sequence[str], every: Sequence[Held]
) -> tuple[Unseen, ...]:
    """Of addresses that were never emptied: what they hold is what ever came."""
    fresh = [held for held in every if not held.was_emptied]
    owners = await _owners(ledger, names, [held.address for held in fresh])
    found: list[Unseen] = []
    for held in fresh:
        merchant_id, payment_id = owners.get(held.address, (None, None))
        seen: Mapping[str, int] = {}
        if merchant_id is not None and payment_id is not None:
            seen = await _seen(ledger, name, merchant_id, payment_id, held)
        found += [
            Unseen(held.index, held.address, payment_id, Amount(amount.asset, units))
            for amount in held.amounts
            if (units := amount.units - seen.get(amount.asset.code, 0)) > 0
        ]
    return tuple(found)


async def _owners(
    ledger: Ledger, names: Sequence[str], addresses: Sequence[str]
) -> Mapping[str, tuple[str, str]]:
    """Merchant and payment by address."""
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        # One row for each way to pay a payment.
        limit = len(addresses) * OPTIONS_MAX
        for row in await ledger.reads.deposits_at(name, addresses, limit=limit):
            found[row["address"]] = (row["merchant_id"], row["payment_id"])
    return found


async def _seen(
    ledger: Ledger, name: str, merchant_id: str, payment_id: str, held: Held
) -> dict[str, int]:
    """What the ledger has seen come to the address, by asset."""
    row = await ledger.reads.payment(merchant_id, payment_id)
    seen: dict[str, int] = {}
    for transfer in () if row is None else row["transfers"]:
        if (transfer["network"], transfer["address"]) == (name, held.address) and (
            transfer["status"] in _ARRIVED
        ):
            seen[transfer["asset"]] = seen.get(transfer["asset"], 0) + int(transfer["units"])
    return seen
