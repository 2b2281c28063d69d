"""The journal: every posting of a merchant in its order, each with what it was worth by what is recorded.

It is read a page at a time, so that a report takes as much memory for a million postings as for a
hundred. All of it hangs on a position: the same position gives the same answer, whenever it is asked
and however often the read models were rebuilt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from flamewire_ledger.billing.carrying import Carried, Part, Stream
from flamewire_ledger.billing.journal import CREDITS, Entry, Moment
from flamewire_ledger.billing.valuation import USD, Lock, Priced, Recorded, Sampled, price_of
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.price import price_id
from flamewire_ledger.queries.database import Row
from flamewire_ledger.store.event_store import EventStore

READ_MODELS: Final = (
    "account_balance", "disposals", "ledger_entries", "payment_status", "price_history",
    "price_locks", "receipt_values",
)  # fmt: skip
_PAGE_ROWS: Final = 1000
_STREAMS_MAX: Final = 5000  # whose money is remembered; that of others is followed again


class Asks(Protocol):
    """queries.read_models.ReadModels keeps it."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...


class Journal:
    """Pages of valued postings. Read it from its beginning: worth is carried from what was before."""

    def __init__(self, reads: Asks, moment: Moment, *, with_credits: bool = True) -> None:
        self._reads = reads
        self._moment = moment
        self._with_credits = with_credits
        self._streams: OrderedDict[str, Stream] = OrderedDict()

    async def pages(self) -> AsyncIterator[Sequence[Entry]]:
        """All of it in order, in parts that are never empty; from its beginning each time."""
        self._streams.clear()
        after = (0, 0)
        while True:
            rows = await self._asked(
                "journal",
                merchant_id=self._moment.merchant_id,
                after_position=after[0],
                after_line=after[1],
                until=self._moment.position,
                with_credits=self._with_credits,
                limit=_PAGE_ROWS,
            )
            if not rows:
                return
            await self._recall(rows, after)
            yield await self._followed(rows)
            self._forget()
            if len(rows) < _PAGE_ROWS:
                return
            after = (rows[-1]["position"], rows[-1]["line"])

    async def accounts(self) -> AsyncIterator[tuple[str, Asset]]:
        """Every account and asset that was posted to, by name."""
        after = ("", "")
        while True:
            rows = await self._asked(
                "journal_accounts",
                merchant_id=self._moment.merchant_id,
                until=self._moment.position,
                after_account=after[0],
                after_asset=after[1],
                limit=_PAGE_ROWS,
            )
            for row in rows:
                yield row["account"], Asset(row["asset"], row["decimals"])
            if len(rows) < _PAGE_ROWS:
                return
            after = (rows[-1]["account"], rows[-1]["asset"])

    async def begins(self) -> datetime | None:
        """When the first posting happened."""
        (row,) = await self._asked(
            "journal_begins", merchant_id=self._moment.merchant_id, until=self._moment.position
        )
        began: datetime | None = row["at"]
        return began

    async def _asked(self, question: str, **parameters: object) -> Sequence[Row]:
        return await self._reads.ask("receipt_values", question, parameters)

    async def _recall(self, rows: Sequence[Row], until: tuple[int, int]) -> None:
        """What the streams of a page did before it, where that is not remembered."""
        named = dict.fromkeys(row["stream_id"] for row in rows if row["asset"] != CREDITS)
        missing = [stream_id for stream_id in named if stream_id not in self._streams]
        after = (0, 0)
        while missing and until > (0, 0):
            before = await self._asked(
                "journal_of_streams",
                merchant_id=self._moment.merchant_id,
                stream_ids=missing,
                after_position=after[0],
                after_line=after[1],
                until_position=until[0],
                until_line=until[1],
                limit=_PAGE_ROWS,
            )
            await self._followed(before)
            if len(before) < _PAGE_ROWS:
                return
            after = (before[-1]["position"], before[-1]["line"])

    def _forget(self) -> None:
        while len(self._streams) > _STREAMS_MAX:
            self._streams.popitem(last=False)

    async def _followed(self, rows: Sequence[Row]) -> Sequence[Entry]:
        samples = await self._samples(rows)
        return [self._entry(row, samples) for row in rows]

    def _entry(self, row: Row, samples: Mapping[tuple[str, int, int], Sampled]) -> Entry:
        amount = Amount(Asset(row["asset"], row["decimals"]), row["units"])
        priced: Priced | None = None

        def price() -> int | None:
            nonlocal priced
            priced = price_of(amount, _recorded(row, samples), self._moment.currency)
            return None if priced is None else priced.units

        if row["asset"] == CREDITS:
            carried = Carried((Part(amount.units, None),), is_new=True)
        else:
            stream = self._streams.setdefault(row["stream_id"], Stream())
            self._streams.move_to_end(row["stream_id"])
            carried = stream.post(row["debit"], row["credit"], row["asset"], amount.units, price)
        return Entry(
            position=row["position"],
            line=row["line"],
            at=row["at"],
            recorded_at=row["recorded_at"],
            type=row["type"],
            stream_id=row["stream_id"],
            debit=row["debit"],
            credit=row["credit"],
            amount=amount,
            carried=carried,
            priced=priced,
            lots=tuple(row["lots"] or ()),
        )

    async def _samples(self, rows: Sequence[Row]) -> Mapping[tuple[str, int, int], Sampled]:
        """The samples known at each posting, of its asset and of the currency, in one question."""
        currency = self._moment.currency.code
        wanted: list[tuple[tuple[str, int, int], str, Row]] = []
        for row in rows:
            code: str = row["asset"]
            has_price = ":" not in code or code in self._moment.listed
            if code in (CREDITS, currency) or not has_price:
                continue
            place = row["position"], row["line"]
            if code != USD:
                wanted.append((("asset", *place), code.rpartition(":")[2], row))
            if currency != USD:
                wanted.append((("currency", *place), currency, row))
        if not wanted:
            return {}
        found = await self._asked(
            "prices_at",
            price_ids=[price_id(s, livemode=self._moment.livemode) for _, s, _ in wanted],
            times=[row["at"] for _, _, row in wanted],
            recorded=[row["recorded_at"] for _, _, row in wanted],
            known_at=self._moment.recorded_at,
        )
        return {
            wanted[row["number"] - 1][0]: Sampled(row["dollars"], row["at"], row["source"])
            for row in found
        }


def _recorded(row: Row, samples: Mapping[tuple[str, int, int], Sampled]) -> Recorded:
    place = row["position"], row["line"]
    worth = None
    if row["worth_asset"] is not None:
        worth = Amount(Asset(row["worth_asset"], row["worth_decimals"]), row["worth_units"])
    lock = None
    if row["lock_price"] is not None:
        lock = Lock(row["lock_price"], row["lock_quote"])
    return Recorded(
        row["standing"],
        worth,
        lock,
        samples.get(("asset", *place)) or _dollar(row),
        samples.get(("currency", *place)),
    )


def _dollar(row: Row) -> Sampled | None:
    """A dollar is a dollar, in whichever currency the books are."""
    return Sampled(Decimal(1), row["at"], "face") if row["asset"] == USD else None


async def recorded_at(store: EventStore, partition: int, position: int) -> datetime | None:
    """When the event at a position was recorded; None before the first."""
    events = await store.read(partition, position - 1, 1, until=position) if position else ()
    return events[0].recorded_at if events else None
