"""What the facts of a payment add up to: every transfer, what it counts for and was used for.

Worth is kept as an exact fraction of the request and rounded only where it is shown. Each transfer
keeps count of its own units, so that a reorganisation can take back exactly what was built on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Final, assert_never

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment.facts import (
    Label,
    PaymentApplicationReleased,
    PaymentCanceled,
    PaymentEvent,
    PaymentExcessRecorded,
    PaymentExpired,
    PaymentOption,
    PaymentProcessing,
    PaymentRequested,
    PaymentResolutionRequired,
    PaymentResolved,
    PaymentRevenueRecognised,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferDropped,
    PaymentTransferIncluded,
    PaymentTransferReorganised,
    RefundAddress,
    Standing,
    Status,
    Totals,
    TransferStatus,
    Use,
    Why,
)
from flamewire_ledger.domain.payment.settlings import Settling, recognised, released
from flamewire_ledger.domain.posting import Posting
from flamewire_ledger.domain.transfer import Block, Transfer

COUNTING: Final = frozenset({"in_time", "honoured", "repriced"})
WITHOUT_WORTH: Final = frozenset({"wrong_asset", "wrong_network"})
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of one transfer. `open_units` are on the books and not yet put to use."""

    transfer: Transfer
    status: TransferStatus
    block: Block | None
    judged_at: datetime  # first seen or the time of its block, what was earlier
    standing: Standing
    worth: Amount | None  # set where it is not the locked one
    open_units: int = 0
    postings: tuple[Posting, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.status in ("detected", "included", "confirmed")

    @property
    def is_in_flight(self) -> bool:
        """Seen, and not final yet."""
        return self.status in ("detected", "included")

    @property
    def counts(self) -> bool:
        return self.standing in COUNTING

    @property
    def is_in_suspense(self) -> bool:
        return self.standing in WITHOUT_WORTH


@dataclass(frozen=True, slots=True)
class Payment:
    requested: PaymentRequested
    status: Status = "requires_payment"
    why: Why | None = None  # while it requires action
    labels: frozenset[Label] = frozenset()
    arrivals: dict[str, Arrival] = field(default_factory=dict)  # by transfer key, as first seen
    settlings: tuple[Settling, ...] = ()  # those in force
    settlings_made: int = 0
    is_canceled: bool = False
    is_undone: bool = False  # it had succeeded, the chain took that back, and nobody decided yet
    returns_until: datetime | None = None  # what the chain took may come back until then
    refund_to: tuple[RefundAddress, ...] = ()  # of the last refund

    @property
    def is_settled(self) -> bool:
        return any(settling.settles for settling in self.settlings)

    def option_for(self, transfer: Transfer) -> PaymentOption | None:
        """The way to pay that this transfer took; None when nobody asked for it."""
        for option in self.requested.options:
            if option.network == transfer.network and option.due.asset == transfer.amount.asset:
                return option
        return None

    def worth_of(self, arrival: Arrival, units: int) -> Fraction:
        """What so many units of a transfer are worth, in base units of the request's currency."""
        if arrival.worth is not None:
            return Fraction(arrival.worth.units * units, arrival.transfer.amount.units)
        option = self.option_for(arrival.transfer)
        if option is None:
            return Fraction(0)
        return Fraction(self.requested.amount.units * units, option.due.units)

    def worth_of_all(self, parts: Iterable[tuple[Arrival, int]]) -> Fraction:
        """The worth of so many units of each. Units at one rate are added up before they become a
        fraction: dust is cheap to send, and a thousand fractions are not cheap to add.
        """
        units: dict[tuple[str, Asset], int] = {}
        worth = Fraction(0)
        for arrival, count in parts:
            if arrival.worth is not None:
                worth += self.worth_of(arrival, count)
            elif count:
                transfer = arrival.transfer
                key = (transfer.network, transfer.amount.asset)
                units[key] = units.get(key, 0) + count
        for option in self.requested.options:
            count = units.get((option.network, option.due.asset), 0)
            worth += Fraction(self.requested.amount.units * count, option.due.units)
        return worth

    def counted(self, *, confirmed: bool) -> Fraction:
        """What counts towards the request: confirmed and unused, or all that is on its way too."""
        return self.worth_of_all(
            (arrival, arrival.open_units)
            if arrival.status == "confirmed"
            else (arrival, arrival.transfer.amount.units)
            for arrival in self.arrivals.values()
            if arrival.counts
            and (arrival.status == "confirmed" or (arrival.is_in_flight and not confirmed))
        )

    def is_enough(self, worth: Fraction) -> bool:
        """Whether the worth covers the request, but for what may be missing."""
        requested = self.requested
        needed = requested.amount.units * (_MILLION - requested.tolerance_ppm)
        return worth * _MILLION >= needed

    @property
    def is_awaited(self) -> bool:
        """Whether something that counts is still on its way."""
        return any(arrival.is_in_flight and arrival.counts for arrival in self.arrivals.values())

    def held(self) -> Iterator[Arrival]:
        """Transfers with something on the books that was not put to use, as first seen."""
        return (arrival for arrival in self.arrivals.values() if arrival.open_units)

    @property
    def held_amounts(self) -> tuple[Amount, ...]:
        """Unapplied and in suspense: one amount for each account and asset."""
        sums: dict[tuple[bool, str], Amount] = {}
        for arrival in self.held():
            amount = Amount(arrival.transfer.amount.asset, arrival.open_units)
            key = (arrival.is_in_suspense, amount.asset.code)
            sums[key] = sums[key] + amount if key in sums else amount
        return tuple(sums.values())

    @property
    def totals(self) -> Totals:
        """Floored, and exactly the request where the request is met."""
        requested = self.requested.amount
        if not self.arrivals:  # as every request is answered; working it out takes 17 µs
            nothing = Amount(requested.asset, 0)
            due = nothing if self.is_settled else requested
            return Totals(detected=nothing, confirmed=nothing, excess=nothing, due=due)
        live = [arrival for arrival in self.arrivals.values() if arrival.is_live]
        final = [arrival for arrival in live if arrival.status == "confirmed"]
        detected = self.worth_of_all((each, each.transfer.amount.units) for each in live)
        confirmed = self.worth_of_all((each, each.transfer.amount.units) for each in final)
        unapplied = self.worth_of_all((each, each.open_units) for each in final)
        is_settled = self.is_settled
        missing = 0 if is_settled else requested.units - floor(self.counted(confirmed=True))
        return Totals(
            detected=Amount(requested.asset, floor(detected)),
            confirmed=Amount(requested.asset, floor(confirmed)),
            excess=Amount(requested.asset, floor(unapplied) if is_settled else 0),
            due=Amount(requested.asset, max(0, missing)),
        )


def floor(worth: Fraction) -> int:
    return worth.numerator // worth.denominator


def judged_at(previous: Arrival | None, seen_at: datetime, block: Block | None) -> datetime:
    """When a transfer counts as having come: first seen, or its block's time if that is earlier.

    One that had been in a block keeps its time when it comes back. One that was only ever announced
    and then dropped does not: else announcing one would keep the price open for ever.
    """
    times = [seen_at]
    if block is not None:
        times.append(block.at)
    if previous is not None and (previous.is_live or previous.block is not None):
        times.append(previous.judged_at)
    return min(times)


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, PaymentRequested):
        return Payment(requested=event)
    assert payment is not None, "a payment's first fact is PaymentRequested"
    match event:
        case PaymentTransferDetected():
            return _detected(payment, event)
        case PaymentTransferIncluded():
            return _included(payment, event)
        case PaymentTransferConfirmed():
            return _confirmed(payment, event)
        case PaymentTransferDropped():
            arrival = replace(payment.arrivals[event.transfer.key], status="dropped")
            return _with_status(_with_arrival(payment, arrival), event.status_after)
        case PaymentTransferReorganised():
            return _reorganised(payment, event)
        case PaymentSucceeded():
            return _succeeded(payment, event)
        case PaymentResolved():
            return _resolved(payment, event)
        case PaymentApplicationReleased():
            return _released(payment, event)
        case PaymentRevenueRecognised():
            return replace(payment, settlings=recognised(payment.settlings, event))
        case _:
            return _moved_on(payment, event)


def _moved_on(
    payment: Payment,
    event: PaymentProcessing
    | PaymentExcessRecorded
    | PaymentExpired
    | PaymentResolutionRequired
    | PaymentCanceled,
) -> Payment:
    """Facts that change where the payment stands and nothing about its transfers."""
    match event:
        case PaymentProcessing():
            return replace(payment, status="processing", why=None)
        case PaymentExcessRecorded():
            return _labelled(payment, event.labels)
        case PaymentExpired():
            return replace(payment, status="expired", why=None, returns_until=None)
        case PaymentResolutionRequired():
            payment = replace(payment, status="requires_action", why=event.why, returns_until=None)
            return _labelled(payment, event.labels)
        case PaymentCanceled():
            return replace(payment, status="canceled", is_canceled=True)
        case _:
            assert_never(event)


def _detected(payment: Payment, event: PaymentTransferDetected) -> Payment:
    arrival = Arrival(
        transfer=event.transfer,
        status="detected" if event.block is None else "included",
        block=event.block,
        judged_at=judged_at(payment.arrivals.get(event.transfer.key), event.seen_at, event.block),
        standing=event.standing,
        worth=event.worth,
    )
    return _labelled(_with_arrival(payment, arrival), event.labels)


def _included(payment: Payment, event: PaymentTransferIncluded) -> Payment:
    arrival = payment.arrivals[event.transfer.key]
    came_at = min(arrival.judged_at, event.block.at)
    arrival = replace(arrival, status="included", block=event.block, judged_at=came_at)
    return _with_arrival(payment, arrival)


def _confirmed(payment: Payment, event: PaymentTransferConfirmed) -> Payment:
    arrival = replace(
        payment.arrivals[event.transfer.key],
        transfer=event.transfer,
        status="confirmed",
        block=event.block,
        standing=event.standing,
        open_units=event.transfer.amount.units,
        postings=event.postings,
    )
    if event.standing != "repriced":
        arrival = replace(arrival, worth=None)
    return _labelled(_with_arrival(payment, arrival), event.labels)


def _succeeded(payment: Payment, event: PaymentSucceeded) -> Payment:
    payment = _used(payment, event, settles=True)
    payment = replace(payment, status="succeeded", why=None, is_undone=False, returns_until=None)
    return _labelled(payment, event.labels)


def _resolved(payment: Payment, event: PaymentResolved) -> Payment:
    settles = event.choice == "credit" and not payment.is_settled
    payment = _used(payment, event, settles=settles)
    payment = _with_status(payment, event.status_after)
    refund_to = event.refund_to if event.choice == "refund" else payment.refund_to
    payment = replace(payment, is_undone=False, returns_until=None, refund_to=refund_to)
    return _labelled(payment, event.labels)


def _released(payment: Payment, event: PaymentApplicationReleased) -> Payment:
    """The use stays, with what is left of it, so that a reorganisation still finds all it posted."""
    settlings = released(payment.settlings, event)
    arrivals = _opened(payment.arrivals, event.uses, +1)
    return _labelled(replace(payment, arrivals=arrivals, settlings=settlings), event.labels)


def _used(payment: Payment, event: PaymentSucceeded | PaymentResolved, *, settles: bool) -> Payment:
    if not event.uses:
        return payment
    number = payment.settlings_made + 1
    bought = 0 if event.credits is None else event.credits.units
    settling = Settling(number, event.uses, event.postings, settles, event.grant_id, bought)
    return replace(
        payment,
        arrivals=_opened(payment.arrivals, event.uses, -1),
        settlings=(*payment.settlings, settling),
        settlings_made=number,
    )


def _opened(arrivals: dict[str, Arrival], uses: tuple[Use, ...], sign: int) -> dict[str, Arrival]:
    arrivals = dict(arrivals)
    for use in uses:
        arrival = arrivals[use.transfer]
        open_units = arrival.open_units + sign * use.units
        arrivals[use.transfer] = replace(arrival, open_units=open_units)
    return arrivals


def _reorganised(payment: Payment, event: PaymentTransferReorganised) -> Payment:
    arrivals = payment.arrivals
    for settling in payment.settlings:
        if settling.number in event.undone:
            arrivals = _opened(arrivals, settling.uses, +1)
    gone = replace(arrivals[event.transfer.key], status="reorged", open_units=0, postings=())
    payment = replace(
        payment,
        arrivals={**arrivals, event.transfer.key: gone},
        settlings=tuple(s for s in payment.settlings if s.number not in event.undone),
    )
    payment = _with_status(payment, event.status_after)
    if event.undoes_success:
        payment = replace(payment, is_undone=True, returns_until=event.returns_until)
    return _labelled(payment, event.labels)


def _with_arrival(payment: Payment, arrival: Arrival) -> Payment:
    return replace(payment, arrivals={**payment.arrivals, arrival.transfer.key: arrival})


def _with_status(payment: Payment, status: Status) -> Payment:
    why = payment.why if status == "requires_action" else None
    return replace(payment, status=status, why=why)


def _labelled(payment: Payment, labels: tuple[Label, ...]) -> Payment:
    return replace(payment, labels=payment.labels.union(labels)) if labels else payment
