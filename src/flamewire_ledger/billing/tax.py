"""What the journal says of lots: which postings are receipts, which are disposals, and of what kind.

Money that comes into a wallet opens a lot at its recorded worth. Money that leaves one is disposed of at
its worth of that time, unless a chain took it back: then it never came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.billing.journal import Entry
from flamewire_ledger.billing.lots import Disposal, Lot, LotBook, Match, Method, Scope

NOTICE: Final = "Arithmetic from recorded prices, and no tax advice. Ask somebody who may give it."
WALLETS: Final = "assets:wallet:"
_KINDS: Final = (
    ("liabilities:refunds_payable", "refund"),
    ("liabilities:", "refund"),
    ("expenses:", "fee"),
    ("equity:conversion", "conversion"),
    ("equity:disposals", "sale"),
    ("equity:withdrawals", "withdrawal"),
    ("equity:", "payout"),
    ("income:", "write_off"),
    ("assets:", "conversion"),
)


@dataclass(slots=True)
class TaxBooks:
    """Folds the journal into lots. `matches` come as disposals do."""

    lots: LotBook
    is_specific: bool  # only then do the lots that a disposal names matter

    @classmethod
    def by(cls, method: Method, scope: Scope) -> TaxBooks:
        return cls(LotBook(method, scope), method == "specific")

    def post(self, entry: Entry) -> Iterator[Match]:
        """Take one posting in; what it disposed of follows. Take all of them."""
        comes, goes = entry.debit.startswith(WALLETS), entry.credit.startswith(WALLETS)
        asset, units = entry.amount.asset.code, entry.amount.units
        if comes and goes:
            self.lots.move(asset, _wallet(entry.credit), _wallet(entry.debit), units, entry.at)
        elif comes:
            self._receive(entry)
        elif goes and entry.carried.is_new:
            named = entry.lots if self.is_specific else ()
            yield from self.lots.dispose(_disposal(entry, kind_of(entry.debit), named))
        elif goes:
            self.lots.take_back(entry.stream_id, _disposal(entry, "reversal"))

    def _receive(self, entry: Entry) -> None:
        for number, part in enumerate(entry.carried.parts):
            self.lots.acquire(
                Lot(
                    id=entry.id if not number else f"{entry.id}-{number}",
                    asset=entry.amount.asset.code,
                    wallet=_wallet(entry.debit),
                    units=part.units,
                    cost=part.value,
                    acquired_at=entry.at,
                    origin=entry.stream_id,
                )
            )


def kind_of(account: str) -> str:
    """What a disposal was for, by the account that what left was charged to."""
    for prefix, kind in _KINDS:
        if account.startswith(prefix):
            return kind
    return "disposal"


def _disposal(entry: Entry, kind: str, lots: tuple[str, ...] = ()) -> Disposal:
    return Disposal(
        id=entry.id,
        asset=entry.amount.asset.code,
        wallet=_wallet(entry.credit),
        units=entry.amount.units,
        proceeds=entry.value,
        disposed_at=entry.at,
        kind=kind,
        lots=lots,
    )


def _wallet(account: str) -> str:
    return account.removeprefix(WALLETS)
