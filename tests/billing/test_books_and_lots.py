"""The books and the lots tell the same history: by average cost in each wallet, they agree to the last unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.carrying import Stream
from flamewire_ledger.billing.journal import Entry
from flamewire_ledger.billing.lots import Match
from flamewire_ledger.billing.tax import TaxBooks
from flamewire_ledger.billing.trial import TrialBalance
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import UNAPPLIED, wallet

TAO = Asset("bittensor:TAO", 9)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WALLET = wallet("bittensor")


class Both:
    """One posting after the other, into the trial balance and into the lots."""

    def __init__(self) -> None:
        self.balance, self.books = TrialBalance(), TaxBooks.by("average", "wallet")
        self.matches: list[Match] = []
        self.gains = 0
        self._streams: dict[str, Stream] = {}
        self._position = 0

    def post(self, name: str, debit: str, credit: str, units: int, value: int) -> None:
        self._position += 1
        stream = self._streams.setdefault(name, Stream())
        carried = stream.post(debit, credit, TAO.code, units, lambda: value)
        at = NOON + timedelta(hours=self._position)
        entry = Entry(
            self._position, 1, at, at, "t", name, debit, credit, Amount(TAO, units), carried, None
        )
        for gain in self.balance.post(debit, credit, TAO.code, carried):
            self.gains += gain.units
        self.matches += self.books.post(entry)


steps = st.lists(
    st.tuples(st.sampled_from(["in", "out", "back"]), st.integers(1, 1000), st.integers(0, 10**6)),
    max_size=30,
)


@given(steps)
def test_gains_and_what_is_left_are_the_same(history: Any):
    both, held = Both(), 0
    for number, (kind, units, value) in enumerate(history):
        if kind == "out" and held:
            both.post(f"sale{number}", "expenses:network_fees", WALLET, min(units, held), value)
            held -= min(units, held)
            continue
        both.post(f"pi{number}", WALLET, UNAPPLIED, units, value)
        if kind == "back":
            both.post(f"pi{number}", UNAPPLIED, WALLET, units, value)
        else:
            held += units
    assert both.gains == sum(it.gain or 0 for it in both.matches)
    line = both.balance.lines.get((WALLET, TAO.code))
    left = list(both.books.lots.open_lots())
    assert sum(it.units for it in left) == held
    assert sum(it.cost or 0 for it in left) == (0 if line is None else line.value)
