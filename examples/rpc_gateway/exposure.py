"""What was served and is not in the ledger's books yet, by account, as if all of it were at its dearest.

The ledger says how many credits are left; what it did not count when it said so comes off that. So
nobody is served more than they can pay, however late the ledger hears of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from catalogue import DEAREST


class Exposure:
    """Sums that only grow; the difference of two moments is what matters."""

    def __init__(self) -> None:
        self._served: Counter[str] = Counter()
        self._booked: Counter[str] = Counter()
        self.position = 0  # of the ledger's log: whatever was booked is in it up to here

    def serve(self, lines: Iterable[bytes]) -> None:
        _add(self._served, lines)

    def book(self, lines: Iterable[bytes], position: int) -> None:
        """The ledger has answered for them."""
        _add(self._booked, lines)
        self.position = max(self.position, position)

    def mark(self, account_id: str) -> Decimal:
        """How things stand when the ledger is asked."""
        return Decimal(self._booked[account_id])

    def since(self, account_id: str, mark: Decimal) -> Decimal:
        """What was served, and not booked at that time."""
        return Decimal(self._served[account_id]) - mark


def _add(sums: Counter[str], lines: Iterable[bytes]) -> None:
    for line in lines:
        try:
            item = json.loads(line)
            data = item["data"]
            cost = DEAREST.get((data["chain"], data["method"], data["archive"]), Decimal(0))
        except (ValueError, KeyError):
            continue  # half a line, of a machine that lost its power
        sums[item["subject"]] += cost  # type: ignore[assignment]
