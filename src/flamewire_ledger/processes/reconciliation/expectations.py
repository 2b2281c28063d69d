"""What was expected: payments as they stood at a position of the log, folded from their own events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from flamewire_ledger.domain import payment
from flamewire_ledger.domain.payment import (
    Payment,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferReorganised,
)
from flamewire_ledger.domain.reconciliation.matching import (
    MILLION,
    Expectation,
    ForInvoice,
    How,
    Receipt,
)
from flamewire_ledger.processes.reconciliation.invoices import Said, said_by
from flamewire_ledger.store.event_store import RecordedEvent

_STREAMS_AT_ONCE: Final = 500
_WAITING: Final = ("requires_payment", "processing")


class Store(Protocol):
    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]: ...


class Decoder(Protocol):
    def decode(self, recorded: RecordedEvent) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A payment, who settled it, and since when it has succeeded or is taken back."""

    state: Payment
    how: How
    since: datetime


class Payments:
    """Payments as of a position of each partition: of one merchant, or of all. Those that are newer
    are not there, nor are those of others.
    """

    def __init__(
        self, store: Store, codec: Decoder, positions: Sequence[int], merchant_id: str | None
    ) -> None:
        self._store = store
        self._codec = codec
        self._positions = positions
        self._merchant_id = merchant_id
        self._known: dict[str, _Known] = {}
        self._invoices: dict[str, Mapping[str, Said]] = {}
        self._asked: set[str] = set()

    def __contains__(self, payment_id: str) -> bool:
        return payment_id in self._known

    def on_their_way(self) -> Collection[str]:
        """The keys of transfers that they had seen, and did not know to be final yet."""
        return {
            key
            for known in self._known.values()
            for key, arrival in known.state.arrivals.items()
            if arrival.is_in_flight
        }

    async def load(self, payment_ids: Collection[str]) -> None:
        """Take in the payments of these ids, whoever's they are; what is known is not asked again."""
        wanted = sorted(set(payment_ids) - self._asked)
        self._asked.update(wanted)
        async for payment_id, events, until in self._streams(wanted):
            self._fold(payment_id, events, until)
        asked = {it.state.requested.invoice_id for it in self._known.values()}
        invoices = sorted(it for it in asked if it is not None and it not in self._invoices)
        async for invoice_id, events, until in self._streams(invoices):
            self._invoices[invoice_id] = said_by(events, until, self._codec.decode)

    async def _streams(
        self, wanted: Sequence[str]
    ) -> AsyncIterator[tuple[str, Sequence[RecordedEvent], int]]:
        """Each with its events, and the position up to which they count."""
        for partition, until in enumerate(self._positions):
            for start in range(0, len(wanted), _STREAMS_AT_ONCE):
                some = dict.fromkeys(wanted[start : start + _STREAMS_AT_ONCE], 0)
                for stream_id, events in (await self._store.load(partition, some)).items():
                    yield stream_id, events, until

    def _fold(self, payment_id: str, events: Sequence[RecordedEvent], until: int) -> None:
        state: Payment | None = None
        how: How = "automatic"
        since: datetime | None = None
        for recorded in events:
            is_theirs = self._merchant_id in (None, recorded.merchant_id)
            if recorded.position > until or not is_theirs:
                break
            event = self._codec.decode(recorded)
            state = payment.evolve(state, event)
            match event:
                case PaymentResolved():
                    how = "forced" if event.choice == "accept" else "manual"
                case PaymentSucceeded():
                    since = event.succeeded_at
                case PaymentTransferReorganised():
                    since = event.reorganised_at
                case _:
                    pass
        if state is not None:
            self._known[payment_id] = _Known(state, how, since or state.requested.requested_at)

    def expectations(
        self, network: str, first: int, last: int, only: Collection[str] | None = None
    ) -> list[Expectation]:
        """One for each, by id; `only` narrows to some."""
        return [
            _expectation(
                self._known[payment_id],
                self._for_invoice(self._known[payment_id]),
                network,
                first,
                last,
            )
            for payment_id in sorted(self._known)
            if only is None or payment_id in only
        ]

    def _for_invoice(self, known: _Known) -> ForInvoice | None:
        requested = known.state.requested
        if requested.invoice_id is None:
            return None
        said = self._invoices.get(requested.invoice_id, {}).get(requested.payment_id, Said())
        return ForInvoice(requested.invoice_id, known.since, said.is_told, said.is_counted)


def _expectation(
    known: _Known, invoice: ForInvoice | None, network: str, first: int, last: int
) -> Expectation:
    state = known.state
    requested = state.requested
    receipts: list[Receipt] = []
    worth = told = 0
    worths = []
    for arrival in state.arrivals.values():
        if arrival.status != "confirmed" or arrival.block is None:
            continue
        worths.append((arrival, arrival.transfer.amount.units if arrival.counts else 0))
        # Rounded down as a whole: parts that make it up exactly are a million together.
        total = state.worth_of_all(worths) * MILLION / requested.amount.units
        told, worth = worth, total.numerator // total.denominator
        receipts.append(
            Receipt(
                key=arrival.transfer.key,
                worth_ppm=worth - told,
                is_of_asked_asset=not arrival.is_in_suspense,
                is_here=arrival.transfer.network == network
                and first <= arrival.block.height <= last,
            )
        )
    return Expectation(
        expectation_id=requested.payment_id,
        status="met"
        if state.status == "succeeded"
        else "waiting"
        if state.status in _WAITING
        else "ended",
        receipts=tuple(receipts),
        ends_at=requested.expires_at,
        tolerance_ppm=requested.tolerance_ppm,
        how=known.how,
        is_on_its_way=state.is_awaited,
        invoice=invoice,
    )
