"""Writing an export: the journal from its beginning, an event at a time, into one format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol

from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.billing.trial import OPENING_BALANCES, Gain, TrialBalance
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.exports.format import Format, Heading
from flamewire_ledger.exports.opening import Opening, Standing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pages(Protocol):
    """queries.journal.Journal keeps it."""

    def pages(self) -> AsyncIterator[Sequence[Entry]]: ...

    def accounts(self) -> AsyncIterator[tuple[str, Asset]]: ...

    async def begins(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Window:
    """Which events are written, by when they happened: from the first moment to before the second."""

    since: datetime | None = None
    before: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (
            self.before is None or at < self.before
        )


async def written(
    journal: Pages, moment: Moment, target: Format, window: Window | None = None
) -> AsyncIterator[bytes]:
    """The export in pieces. The same moment gives the same bytes.

    The journal is followed from its beginning even when only a window of it is written: what a
    thing cost was decided before.
    """
    window = window or Window()
    yield target.head(Heading(moment, await journal.begins() or _EPOCH))
    opening = await _opening(journal, window)
    assets: dict[str, Asset] = {}
    last = None
    async for account, asset in journal.accounts():
        assets[asset.code] = asset
        if account != last:
            last = account
            yield target.account(account)
    if not opening.is_empty:
        yield target.account(OPENING_BALANCES)
    for code in sorted(assets):
        yield target.commodity(code, assets[code].decimals)
    if not opening.is_empty:
        yield target.opening(opening)
    balance = TrialBalance()
    async for entries in whole_events(journal):
        piece = b"".join(
            target.event(event, gains)
            for event, gains in _events(entries, balance)
            if window.holds(event[0].at)
        )
        if piece:
            yield piece
    yield target.end()


async def _opening(journal: Pages, window: Window) -> Opening:
    """What happened before the window. It may be anywhere in the journal, as some is booked late: so a
    window with a beginning is followed twice.
    """
    standing, balance = Standing(), TrialBalance()
    since = window.since
    if since is None:
        return standing.opening(_EPOCH)
    async for entries in whole_events(journal):
        for event, gains in _events(entries, balance):
            if event[0].at < since:
                standing.take(event, gains)
    return standing.opening(since)


async def whole_events(journal: Pages) -> AsyncIterator[Sequence[Entry]]:
    """Pages that end where an event does."""
    kept: list[Entry] = []
    async for page in journal.pages():
        entries = [*kept, *page]
        last = entries[-1].position
        kept = [entry for entry in entries if entry.position == last]
        if len(kept) < len(entries):
            yield entries[: -len(kept)]
    if kept:
        yield kept


def _events(
    entries: Sequence[Entry], balance: TrialBalance
) -> Iterator[tuple[Sequence[Entry], Sequence[Gain]]]:
    """Event by event, as it moves value, and what was gained or lost by it."""
    for _, group in groupby(entries, key=lambda entry: entry.position):
        event: list[Entry] = []
        gains: list[Gain] = []
        for entry in group:
            places = entry.debit, entry.credit, entry.amount.asset.code
            event.append(replace(entry, carried=balance.moved(*places, entry.carried)))
            gains += balance.post(*places, entry.carried)
        yield event, gains
