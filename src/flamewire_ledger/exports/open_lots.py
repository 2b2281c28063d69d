"""Which lots are open, for who names those that a disposal is taken from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from flamewire_ledger.billing.lots import Open
from flamewire_ledger.billing.tax import TaxBooks
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.exports.writing import Pages


async def check_named(
    journal: Pages,
    network: str,
    amount: Amount,
    made_at: datetime,
    named: Sequence[str],
    count: Callable[[int], None] = lambda entries: None,
) -> None:
    """That these lots are open in the wallet and have the amount together. Raises NotAllowed.

    `count` is told how many postings were followed, page by page.
    """
    books = TaxBooks.by("specific", "wallet")
    async for page in journal.pages():
        count(len(page))
        for entry in page:
            for _ in books.post(entry):
                pass  # what went before is in the lots that are left
    left = {
        it.lot.id: it
        for it in books.lots.open_lots()
        if it.lot.wallet == network and it.lot.asset == amount.asset.code
    }
    for name in named:
        _check(name, left.get(name), made_at)
    units = sum(left[name].units for name in named)
    if units < amount.units:
        text = Amount(amount.asset, units).text
        raise NotAllowed(
            f"these lots have {text} {amount.asset.symbol} left: name more of them", pointer="/lots"
        )


def _check(name: str, it: Open | None, made_at: datetime) -> None:
    if it is None:
        raise NotAllowed(
            f"{name} is no lot that is open in this wallet: see the report of tax lots",
            pointer="/lots",
        )
    if it.lot.acquired_at > made_at:
        raise NotAllowed(f"{name} was acquired after that", pointer="/lots")
