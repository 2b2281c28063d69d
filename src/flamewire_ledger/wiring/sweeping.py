"""Planning a sweep for an operator: which addresses of a network were given out, what they hold, and what of
it the ledger never saw come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    # Of one factory, addresses are the same on all networks: payers take the wrong one.
    names = [each.network.name for each in _evm(ledger) if each.settings.forwarders == forwarders]
    wanted = indexes or [
        index for each in names for index in await _given_out(ledger, each, forwarders)
    ]
    plan = await chain.plan_sweep(wanted, sender=sender)
    unseen = await _unseen(ledger, chain.network.name, names, plan)
    return Sweeping(chain.network.name, chain.settings.evm_chain_id, forwarders, plan, unseen)


def _evm(ledger: Ledger) -> Sequence[EthereumChain]:
    return [chain for chain in ledger.chains if isinstance(chain, EthereumChain)]


async def _given_out(ledger: Ledger, name: str, forwarders: Forwarders) -> Sequence[int]:
    """The numbers of this factory's addresses that payers were sent to, in the order of time."""
    found: list[int] = []
    position = 0
    while rows := await ledger.reads.deposits_after(name, position, limit=_PAGE_ROWS):
        last = rows[-1]["position"]
        # A page may end in the middle of a payment: its rows come again with the next page.
        is_cut = len(rows) == _PAGE_ROWS and rows[0]["position"] != last
        whole = [row for row in rows if row["position"] != last] if is_cut else rows
        derivations = dict.fromkeys(row["derivation"] or "" for row in whole)
        indexes = [forwarders.index_of(derivation) for derivation in derivations]
        found += [index for index in indexes if index is not None]
        position = whole[-1]["position"]
    return found


async def _unseen(
    ledger: Ledger, name: str, names: Sequence[str], plan: SweepPlan
) -> tuple[Unseen, ...]:
    """Of addresses that were never swept: what they hold is what ever came."""
    every = (*plan.swept, *(held for held, _ in plan.stuck))
    fresh = [held for held in every if not held.was_swept]
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
