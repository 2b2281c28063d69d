"""What a merchant is told of a payment intent: each time the intent as it was then."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

from flamewire_ledger.domain import payment as payments
from flamewire_ledger.domain.payment import (
    Arrival,
    Choice,
    Label,
    Payment,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferReorganised,
    Status,
    TransferStatus,
    Why,
)
from flamewire_ledger.webhooks.message import (
    Kind,
    Shape,
    Time,
    Told,
    minor,
    own_stream,
    symbol,
    text,
)

TRANSFERS_MAX: Final = 20


class TransferData(Shape):
    """What came on a chain, as far as the chain has it."""

    network: str
    transaction_id: str
    index: int
    address: str
    asset: str
    amount: str
    amount_minor: str
    status: TransferStatus


class PaymentData(Shape):
    """A payment intent. Amounts are in its currency; those of transfers in what was sent."""

    payment_intent_id: str
    transaction_id: str | None  # that completed it; until then the last one seen
    status: Status
    labels: list[Label]
    currency: str
    amount: str
    amount_minor: str
    detected: str
    detected_minor: str
    confirmed: str
    confirmed_minor: str
    due: str
    due_minor: str
    excess: str
    excess_minor: str
    transfers: list[TransferData]  # the last 20
    credit_account_id: str | None
    credits: str | None  # what it buys
    invoice_id: str | None  # that it is to pay
    reference: str | None
    metadata: dict[str, str]
    why: Why | None  # somebody has to decide, while the status says so
    choice: Choice | None  # what was decided, in payment.resolved
    created_at: Time
    expires_at: Time


def _of(told: Told) -> PaymentData:
    payment: Payment | None = reduce(payments.evolve, told.own, None)
    assert payment is not None, "a payment's stream holds at least the fact that is told"
    requested, totals = payment.requested, payment.totals
    arrivals = list(payment.arrivals.values())[-TRANSFERS_MAX:]
    fact = told.fact
    return PaymentData(
        payment_intent_id=requested.payment_id,
        transaction_id=_transaction_of(fact, arrivals),
        status=payment.status,
        labels=sorted(payment.labels),
        currency=symbol(requested.amount),
        amount=requested.amount.text,
        amount_minor=str(requested.amount.units),
        detected=totals.detected.text,
        detected_minor=str(totals.detected.units),
        confirmed=totals.confirmed.text,
        confirmed_minor=str(totals.confirmed.units),
        due=totals.due.text,
        due_minor=str(totals.due.units),
        excess=totals.excess.text,
        excess_minor=str(totals.excess.units),
        transfers=[_transfer(arrival) for arrival in arrivals],
        credit_account_id=requested.credit_account_id,
        credits=text(requested.credits),
        invoice_id=requested.invoice_id,
        reference=requested.reference,
        metadata=dict(requested.metadata),
        why=payment.why,
        choice=fact.choice if isinstance(fact, PaymentResolved) else None,
        created_at=requested.requested_at,
        expires_at=requested.expires_at,
    )


def _transaction_of(fact: Any, arrivals: list[Arrival]) -> str | None:
    if isinstance(fact, PaymentSucceeded):
        return fact.transaction_id
    transfer = getattr(fact, "transfer", None) or (arrivals[-1].transfer if arrivals else None)
    return None if transfer is None else str(transfer.transaction_id)


def _transfer(arrival: Arrival) -> TransferData:
    transfer = arrival.transfer
    return TransferData(
        network=transfer.network,
        transaction_id=transfer.transaction_id,
        index=transfer.index,
        address=transfer.address,
        asset=symbol(transfer.amount),
        amount=transfer.amount.text,
        amount_minor=str(minor(transfer.amount)),
        status=arrival.status,
    )


def _if_undone(told: Told) -> PaymentData | None:
    fact = told.fact
    assert isinstance(fact, PaymentTransferReorganised)
    return _of(told) if fact.undoes_success else None


def _kind(name: str, says: str, event: str) -> Kind:
    of = _if_undone if event == PaymentTransferReorganised.type else _of
    return Kind(f"payment.{name}", says, (event,), PaymentData, of, own_stream)


PAYMENT_KINDS: Final = (
    _kind("created", "A payment was asked for.", "payment.requested.v1"),
    _kind("detected", "A transfer was seen on its chain.", "payment.transfer_detected.v1"),
    _kind(
        "processing",
        "Enough was seen; its chain has yet to make it final.",
        "payment.processing.v1",
    ),
    _kind("completed", "It is paid, and final on its chain.", "payment.succeeded.v1"),
    _kind("overpaid", "More came than was due.", "payment.excess_recorded.v1"),
    _kind("expired", "Time is up, and nothing came.", "payment.expired.v1"),
    _kind("canceled", "It was given up.", "payment.canceled.v1"),
    _kind(
        "requires_action",
        "Money came that does not fit: somebody has to decide. `why` says what is wrong.",
        "payment.resolution_required.v1",
    ),
    _kind("resolved", "Somebody decided what becomes of what was held.", "payment.resolved.v1"),
    _kind(
        "dropped",
        "A transfer that had been seen will not come: replaced, dropped or failed.",
        "payment.transfer_dropped.v1",
    ),
    _kind(
        "reversed",
        "It was complete, and its chain took that back: it counts as not paid.",
        "payment.transfer_reorganised.v1",
    ),
)
