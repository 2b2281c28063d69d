"""Books kept from postings alone: what the tests compare the state of an aggregate with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


class Books:
    """Balances by (account, asset code): what came in by debits less what went out by credits."""

    def __init__(self, events: Iterable[Any] = ()) -> None:
        self.balances: Counter[tuple[str, str]] = Counter()
        for event in events:
            self.take(event)

    def take(self, event: Any) -> None:
        for posting in getattr(event, "postings", ()):
            code = posting.amount.asset.code
            self.balances[posting.debit, code] += posting.amount.units
            self.balances[posting.credit, code] -= posting.amount.units

    def debit(self, account: str, code: str) -> int:
        """The balance of an account that grows by debits, as a wallet does."""
        return self.balances[account, code]

    def credit(self, account: str, code: str) -> int:
        """The balance of an account that grows by credits, as a liability or income does."""
        return -self.balances[account, code]

    def sums(self) -> dict[str, int]:
        """All balances of an asset together: zero for each, or it is no double entry."""
        sums: Counter[str] = Counter()
        for (_, code), units in self.balances.items():
            sums[code] += units
        return dict(sums)
