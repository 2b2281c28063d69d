"""From a checkpoint to transfers: what each address has more of after a transaction that succeeded.

A node adds up what a transaction did to each address and coin; that is all there is to read, and
it leaves nothing out: coins, address balances, whatever contract passed them on. Failed ones give
nothing, though their gas shows. Gas is its payer's own affair: what was paid or given back for it
is taken out of the payer's change first.

The index of a transfer is the place of (address, coin type) among those that have gained, sorted:
nodes may list them in any order. Where receipts of the Payment Kit say what the sum was made of,
it becomes one transfer for each, with the nonce as its mark; the nth part of a sum has the sum's
place plus n times the number of sums, so that a sum keeps its index whatever is configured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flamewire_ledger.chains.chain import BlockTransfers, Network
from flamewire_ledger.chains.sui.coin_types import SUI_COIN, coin_type, told_apart, unlisted_code
from flamewire_ledger.chains.sui.receipts import Receipt, read_receipt
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer

RECEIPTS_MAX: Final = 1024  # of one transaction: as many events as one may emit
NO_DIGEST: Final = "1" * 32  # 32 zero bytes in base58: what is before the genesis checkpoint


@dataclass(frozen=True, slots=True)
class Change:
    """How an address's holdings of one coin were changed by a transaction."""

    address: str
    coin_type: str  # as the node spells it
    units: int  # less than zero: gone


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction of a checkpoint."""

    digest: str
    has_succeeded: bool
    changes: Sequence[Change]
    gas_payer: str | None  # None: the chain's own transactions pay none
    gas_units: int  # less than zero: more was given back than paid
    events: Sequence[tuple[str, bytes]] = ()  # type and BCS


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as an endpoint tells it."""

    height: int
    digest: str
    previous_digest: str
    at: datetime
    executed: Sequence[Executed] = ()

    @property
    def block(self) -> Block:
        return Block(self.height, self.digest, self.at)


class TransferReader:
    """Reads the transfers of one network's checkpoints."""

    def __init__(self, network: Network, payment_kit: str | None) -> None:
        """`payment_kit`: the package whose receipts are believed."""
        self._name = network.name
        self._assets = {
            coin_type(token.contract or SUI_COIN): token.asset for token in network.tokens
        }
        self._receipt_type = f"{payment_kit}::payment_kit::PaymentReceipt" if payment_kit else None

    @property
    def wants_events(self) -> bool:
        return self._receipt_type is not None

    def block_transfers(self, checkpoint: Checkpoint) -> BlockTransfers:
        found = [each for executed in checkpoint.executed for each in self._transfers(executed)]
        return BlockTransfers(checkpoint.block, checkpoint.previous_digest, tuple(found))

    def _transfers(self, executed: Executed) -> Iterator[Transfer]:
        if not executed.has_succeeded:
            return
        gains = _gains(executed)
        receipts = self._receipts(executed)
        for place, ((address, coin), units) in enumerate(gains):
            amounts = _parts(units, receipts.get((address, coin), ()))
            asset = self._asset(coin)
            for part, (mark, part_units) in enumerate(amounts):
                index = place + part * len(gains)
                amount = Amount(asset, part_units)
                yield Transfer(self._name, executed.digest, index, address, amount, mark)

    def _receipts(self, executed: Executed) -> dict[tuple[str, str], list[Receipt]]:
        found: defaultdict[tuple[str, str], list[Receipt]] = defaultdict(list)
        if self._receipt_type is None:
            return found
        for event_type, contents in executed.events[:RECEIPTS_MAX]:
            if told_apart(event_type) != self._receipt_type:
                continue
            receipt = read_receipt(contents)
            if receipt is not None and receipt.units:
                found[receipt.receiver, receipt.coin_type].append(receipt)
        return found

    def _asset(self, coin: str) -> Asset:
        """A coin that is not configured is named by its type; its decimals are not known."""
        return self._assets.get(coin) or Asset(unlisted_code(self._name, coin), 0)


def _gains(executed: Executed) -> list[tuple[tuple[str, str], int]]:
    """What each (address, coin type) has more of, sorted by these."""
    sums: Counter[tuple[str, str]] = Counter()
    for change in executed.changes:
        sums[change.address, told_apart(change.coin_type)] += change.units
    if executed.gas_payer is not None:
        sums[executed.gas_payer, SUI_COIN] += executed.gas_units
    return sorted((key, units) for key, units in sums.items() if units > 0)


def _parts(units: int, receipts: Sequence[Receipt]) -> list[tuple[str | None, int]]:
    """A sum by its receipts, and what none of them tells of.

    The receiver may have spent in the same transaction: receipts for more than the sum cannot be
    told apart, and only a single one still says what the sum is for.
    """
    told = sum(receipt.units for receipt in receipts)
    if told > units:
        nonces = {receipt.nonce for receipt in receipts}
        return [(nonces.pop() if len(nonces) == 1 else None, units)]
    parts: list[tuple[str | None, int]] = [(each.nonce, each.units) for each in receipts]
    if told < units:
        parts.append((None, units - told))
    return parts
