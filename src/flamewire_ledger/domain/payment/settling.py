"""What follows for a payment from what has arrived: success, excess, expiry, or a person's turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import TypeVar

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment.facts import (
    Label,
    PaymentApplicationReleased,
    PaymentEvent,
    PaymentExcessRecorded,
    PaymentExpired,
    PaymentProcessing,
    PaymentRequested,
    PaymentResolutionRequired,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferDropped,
    PaymentTransferReorganised,
    Status,
    Use,
    Why,
)
from flamewire_ledger.domain.payment.state import Arrival, Payment, evolve, floor
from flamewire_ledger.domain.posting import (
    CONVERSION,
    DEFERRED_CREDITS,
    SALES,
    SUSPENSE,
    UNAPPLIED,
    Posting,
)

Facts = tuple[PaymentEvent, ...]


# The facts that say where the payment stands after them.
_Telling = TypeVar(
    "_Telling",
    PaymentTransferDetected,
    PaymentTransferConfirmed,
    PaymentSucceeded,
    PaymentExcessRecorded,
    PaymentTransferDropped,
    PaymentTransferReorganised,
    PaymentResolved,
    PaymentApplicationReleased,
)


def with_totals(payment: Payment, event: _Telling) -> _Telling:
    """The fact with the totals that are true once it has happened to this payment."""
    return replace(event, totals=evolve(payment, event).totals)


def resting_status(payment: Payment, at: datetime) -> Status:
    """Where the payment belongs by what is known of it at that time."""
    if payment.is_settled:
        return "succeeded"
    if payment.is_enough(payment.counted(confirmed=False)):
        return "processing"
    if payment.is_undone:
        is_awaited = payment.returns_until is not None and at < payment.returns_until
        return "processing" if is_awaited else "requires_action"
    if any(not arrival.counts for arrival in payment.held()):
        return "requires_action"
    if payment.is_canceled:
        return "canceled"
    # A command that waited in a queue can be older than what was said meanwhile: expired is expired.
    if at < payment.requested.expires_at and payment.status != "expired":
        return "requires_payment"
    if payment.is_awaited:
        return "requires_payment" if payment.status == "processing" else payment.status
    # What is held may be worth nothing at a new price; it is somebody's all the same.
    return "requires_action" if any(payment.held()) else "expired"


def entering(payment: Payment, status: Status, at: datetime) -> Facts:
    """The facts that say so when the payment comes to a new status by itself."""
    if status == payment.status:
        return ()
    match status:
        case "expired":
            return (PaymentExpired(payment.requested.payment_id, at),)
        case "requires_action":
            return (resolution_required(payment, at),)
        case "processing":
            return processing(payment, at)
        case _:
            return ()


def processing(payment: Payment, at: datetime) -> Facts:
    """Said once, when enough has been seen and not all of it is final."""
    seen = payment.counted(confirmed=False)
    if payment.is_settled or payment.status == "processing" or not payment.is_enough(seen):
        return ()
    detected = Amount(payment.requested.amount.asset, floor(seen))
    return (PaymentProcessing(payment.requested.payment_id, detected, at),)


def resolution_required(
    payment: Payment, at: datetime, why: Why | None = None
) -> PaymentResolutionRequired:
    why = why or _why(payment)
    labels: list[Label] = []
    held = sum((payment.worth_of(each, each.open_units) for each in payment.held()), Fraction(0))
    if why == "underpaid" or (why == "late" and held and not payment.is_enough(held)):
        labels.append("underpaid")
    if why == "reorged":
        labels.append("reorged")
    return PaymentResolutionRequired(
        payment_id=payment.requested.payment_id,
        why=why,
        held=payment.held_amounts,
        at=at,
        labels=tuple(labels),
    )


def _why(payment: Payment) -> Why:
    """What the newest transfer held apart says; else that success was undone, or too little."""
    for arrival in reversed(tuple(payment.held())):
        match arrival.standing:
            case "late" | "canceled" | "wrong_asset" | "wrong_network" as why:
                return why
            case _:
                continue
    return "reorged" if payment.is_undone else "underpaid"


def after_confirmation(payment: Payment, arrival: Arrival, at: datetime) -> Facts:
    """What follows from a transfer that has just become final."""
    if payment.is_settled:
        labels = () if arrival.is_in_suspense else labels_of_excess(payment)
        return (excess_recorded(payment, labels),)
    if payment.is_enough(payment.counted(confirmed=True)):
        return succeed(payment, at, arrival.transfer.transaction_id)
    if payment.is_enough(payment.counted(confirmed=False)):
        return processing(payment, at)  # the rest is on its way
    status = resting_status(payment, at)
    if status == "requires_action" or payment.status == "failed" or not arrival.counts:
        # Said again for every transfer that is held: there is more to decide about than before.
        return (resolution_required(payment, at),)
    return entering(payment, status, at)


def succeed(
    payment: Payment, at: datetime, transaction_id: str | None = None, *, manual: bool = False
) -> Facts:
    """Put to use what the request needs of what is held; the rest is excess.

    By itself only what counts is used; by a person's decision (`manual`) also what came late.
    """
    requested = payment.requested
    usable = [
        arrival
        for arrival in payment.held()
        if arrival.counts or (manual and not arrival.is_in_suspense)
    ]
    uses, worth = _needed(payment, usable)
    is_short = worth < requested.amount.units
    labels: tuple[Label, ...] = ("manual",) if manual else ()
    if is_short and not manual:
        labels = ("tolerance_applied",)
    event = PaymentSucceeded(
        payment_id=requested.payment_id,
        transaction_id=transaction_id
        or payment.arrivals[uses[-1].transfer].transfer.transaction_id,
        applied=tuple(amount for _, amount in by_account(payment, uses)),
        confirmed=payment.totals.confirmed,
        credits=requested.credits,
        credit_account_id=requested.credit_account_id,
        postings=moved(payment, uses, _bought_account(requested)),
        totals=payment.totals,
        succeeded_at=at,
        labels=labels,
        uses=uses,
        grant_id=None if requested.credits is None else next_grant_id(payment, at),
    )
    after = evolve(payment, event)
    event = replace(event, totals=after.totals)
    if not any(after.held()):
        return (event,)
    return event, excess_recorded(after, labels_of_excess(after))


def _bought_account(requested: PaymentRequested) -> str:
    """What a success is for. Of an invoice the sale was booked when it was made final."""
    if requested.invoice_id is not None:
        return CONVERSION
    return SALES if requested.credit_account_id is None else DEFERRED_CREDITS


def labels_of_excess(payment: Payment) -> tuple[Label, ...]:
    """`multiple` when several transfers brought two payments or more, `overpaid` when it is less.

    Judged by all that is confirmed, so that it says the same whichever became final first.
    """
    held = [arrival for arrival in payment.held() if not arrival.is_in_suspense]
    if not held:
        return ()
    final = [
        arrival
        for arrival in payment.arrivals.values()
        if arrival.status == "confirmed" and not arrival.is_in_suspense
    ]
    came = payment.worth_of_all((each, each.transfer.amount.units) for each in final)
    left = payment.worth_of_all((each, each.open_units) for each in held)
    # A person may have settled it for less than the request: then what is left is looked at alone.
    is_second = payment.is_enough(came / 2) or payment.is_enough(left)
    return ("multiple",) if is_second and len(final) > 1 else ("overpaid",)


def excess_recorded(payment: Payment, labels: tuple[Label, ...]) -> PaymentExcessRecorded:
    totals = payment.totals
    return PaymentExcessRecorded(
        payment_id=payment.requested.payment_id,
        excess=payment.held_amounts,
        totals=totals,
        worth=totals.excess,
        labels=labels,
    )


def _needed(payment: Payment, usable: Iterable[Arrival]) -> tuple[tuple[Use, ...], Fraction]:
    """The first transfers that cover the request, and their worth; the last in part, rounded up."""
    requested = payment.requested.amount.units
    uses: list[Use] = []
    worth = Fraction(0)
    for arrival in usable:
        offered = payment.worth_of(arrival, arrival.open_units)
        missing = requested - worth
        if missing <= 0:
            break
        units = arrival.open_units
        if offered > missing:
            exact = missing * arrival.open_units / offered
            units = -(-exact.numerator // exact.denominator)
        uses.append(Use(arrival.transfer.key, units))
        worth += payment.worth_of(arrival, units)
    return tuple(uses), worth


def uses_of_all(arrivals: Iterable[Arrival]) -> tuple[Use, ...]:
    return tuple(Use(arrival.transfer.key, arrival.open_units) for arrival in arrivals)


def by_account(payment: Payment, uses: Iterable[Use]) -> tuple[tuple[str, Amount], ...]:
    """What the uses take: (the account it was held on, so much), one for each account and asset."""
    sums: dict[tuple[str, Asset], int] = {}
    for use in uses:
        arrival = payment.arrivals[use.transfer]
        account = SUSPENSE if arrival.is_in_suspense else UNAPPLIED
        key = (account, arrival.transfer.amount.asset)
        sums[key] = sums.get(key, 0) + use.units
    return tuple((account, Amount(asset, units)) for (account, asset), units in sums.items())


def moved(payment: Payment, uses: Iterable[Use], account: str) -> tuple[Posting, ...]:
    """Postings that take the uses from where they were held to the account."""
    return tuple(
        Posting(debit=held_on, credit=account, amount=amount)
        for held_on, amount in by_account(payment, uses)
    )


def next_grant_id(payment: Payment, at: datetime) -> str:
    """The id of the grant that the next settling leads to: the same each time it is decided."""
    number = str(payment.settlings_made + 1)
    return derived_id("gr", at, payment.requested.payment_id, number)
