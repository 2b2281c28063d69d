"""How an export is written: piece by piece, and no more of the journal is followed than is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from flamewire_ledger.billing.carrying import Carried, Part
from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.exports.table import Csv
from flamewire_ledger.exports.writing import Window, written

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAO = Asset("bittensor:TAO", 9)
WALLET, SALES = "assets:wallet:bittensor", "income:sales"


class Pages:
    """A journal of one posting a day, which counts how often it is followed."""

    def __init__(self, days: int) -> None:
        self.followed = 0
        self._entries = [self._entry(day) for day in range(days)]

    def _entry(self, day: int) -> Entry:
        at, carried = NOON + timedelta(days=day), Carried((Part(5, 10),), is_new=True)
        amount = Amount(TAO, 5)
        return Entry(day + 1, 1, at, at, "t", f"pi_{day}", WALLET, SALES, amount, carried, None)

    async def pages(self) -> AsyncIterator[Sequence[Entry]]:
        self.followed += 1
        yield self._entries

    async def accounts(self) -> AsyncIterator[tuple[str, Asset]]:
        for account in (WALLET, SALES):
            yield account, TAO

    async def begins(self) -> datetime:
        return NOON


def export(journal: Pages, window: Window | None = None) -> AsyncIterator[bytes]:
    moment = Moment("mer_1", False, 9, NOON, Asset("USD", 2), ())
    return written(journal, moment, Csv(), window)


async def test_the_head_is_there_before_the_journal_is_followed() -> None:
    """Whoever waits for the first byte does not wait for the books."""
    journal = Pages(3)
    pieces = export(journal, Window(since=NOON + timedelta(days=1)))
    assert (await anext(pieces)).startswith(b"position,")
    assert journal.followed == 0
    rest = b"".join([piece async for piece in pieces]).decode().splitlines()
    assert [line.split(",")[0] for line in rest if line] == ["0", "0", "2", "3"]
    assert journal.followed == 2


async def test_without_a_beginning_it_is_followed_once() -> None:
    journal = Pages(3)
    assert b"opening" not in b"".join([piece async for piece in export(journal)])
    assert journal.followed == 1
