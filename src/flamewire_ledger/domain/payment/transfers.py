"""What is decided when a transfer is seen, becomes final, goes away, or is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment.commands import (
    ConfirmTransfer,
    DropTransfer,
    RecordTransfer,
)
from flamewire_ledger.domain.payment.facts import (
    Label,
    PaymentEvent,
    PaymentOption,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferDropped,
    PaymentTransferIncluded,
    PaymentTransferReorganised,
    Standing,
    Status,
)
from flamewire_ledger.domain.payment.settling import (
    Facts,
    after_confirmation,
    entering,
    excess_recorded,
    processing,
    resolution_required,
    resting_status,
    succeed,
    with_totals,
)
from flamewire_ledger.domain.payment.state import (
    WITHOUT_WORTH,
    Arrival,
    Payment,
    evolve,
    floor,
    judged_at,
)
from flamewire_ledger.domain.posting import SUSPENSE, UNAPPLIED, Posting, wallet
from flamewire_ledger.domain.transfer import Transfer

RETURN_WAIT: Final = timedelta(hours=1)  # what a reorganisation puts back is mined again in minutes
SUSPENSE_ARRIVALS_MAX: Final = 100
SUSPENSE_UNITS_BITS_MAX: Final = 128
_MILLION: Final = 1_000_000


def record(payment: Payment, command: RecordTransfer) -> Facts:
    """A transfer was seen, or is in a (new) block."""
    if _is_noise(payment, command.transfer):
        return ()
    known = payment.arrivals.get(command.transfer.key)
    if known is None or not known.is_live:
        detected = _detected(payment, command)
        return detected, *processing(evolve(payment, detected), command.seen_at)
    if known.status == "confirmed" or command.block is None or command.block == known.block:
        return ()
    payment_id = payment.requested.payment_id
    return (PaymentTransferIncluded(payment_id, known.transfer, command.block),)


def _is_noise(payment: Payment, transfer: Transfer) -> bool:
    """Whether a transfer says nothing about money: anybody can make a token of their own, and send
    nothing, or more than there is of anything, or thousands of transfers in one transaction.

    What was asked for is never noise, and what was taken in before stays. Nor is a token that the
    network lists: it is money, though nobody asked for it here. One that is not listed has no decimals.
    """
    if transfer.amount.is_zero:
        return True
    if payment.option_for(transfer) is not None or transfer.key in payment.arrivals:
        return False
    if transfer.amount.units.bit_length() > SUSPENSE_UNITS_BITS_MAX:
        return True
    if transfer.amount.asset.decimals:
        return False
    in_suspense = sum(arrival.is_in_suspense for arrival in payment.arrivals.values())
    return in_suspense >= SUSPENSE_ARRIVALS_MAX


def confirm(payment: Payment, command: ConfirmTransfer) -> Facts:
    """The transfer is final: it goes on the books, whatever becomes of it then."""
    if not command.is_assigned and _is_noise(payment, command.transfer):
        return ()
    events: tuple[PaymentEvent, ...] = ()
    known = payment.arrivals.get(command.transfer.key)
    if known is not None and known.status == "confirmed":
        if known.transfer == command.transfer:
            return ()
        # The chain took it back and put it back with other content: a call that is executed anew
        # may move another amount. What was booked is reversed, and what is true now is booked.
        events = _reorganise(payment, known, command.at)
        for event in events:
            payment = evolve(payment, event)
        known = payment.arrivals[command.transfer.key]
    if known is None or not known.is_live or known.transfer != command.transfer:
        # Nobody saw it coming like this: we were not there, or it comes back after it was gone.
        detected = _detected(
            payment,
            RecordTransfer(
                payment_id=command.payment_id,
                transfer=command.transfer,
                block=command.block,
                seen_at=command.seen_at,
                worth_now=command.worth_now,
            ),
        )
        events = (*events, detected)
        payment = evolve(payment, detected)
        known = payment.arrivals[command.transfer.key]
    confirmed = _confirmed(payment, known, command)
    payment = evolve(payment, confirmed)
    arrival = payment.arrivals[command.transfer.key]
    return *events, confirmed, *after_confirmation(payment, arrival, command.at)


def _detected(payment: Payment, command: RecordTransfer) -> PaymentTransferDetected:
    known = payment.arrivals.get(command.transfer.key)
    came_at = judged_at(known, command.seen_at, command.block)
    standing, worth = _judge(payment, command, came_at, known)
    return with_totals(
        payment,
        PaymentTransferDetected(
            payment_id=payment.requested.payment_id,
            transfer=command.transfer,
            block=command.block,
            totals=payment.totals,
            seen_at=command.seen_at,
            labels=_labels(payment, command.transfer, standing, came_at),
            standing=standing,
            worth=worth,
        ),
    )


def _judge(
    payment: Payment, command: RecordTransfer, came_at: datetime, known: Arrival | None
) -> tuple[Standing, Amount | None]:
    """What the transfer is to the payment, and its worth where that is not the locked one."""
    requested = payment.requested
    option = payment.option_for(command.transfer)
    if option is None:
        networks = {each.network for each in requested.options}
        return ("wrong_asset" if command.transfer.network in networks else "wrong_network"), None
    if payment.is_canceled:
        return "canceled", None
    if came_at <= requested.expires_at:
        return "in_time", None
    if known is not None and known.block is not None and known.counts:
        return known.standing, known.worth  # it is back, and was judged when it first came
    policy = requested.late_policy
    if policy.action == "reprice" and command.worth_now is not None:
        return "repriced", command.worth_now
    latest = requested.expires_at + timedelta(seconds=policy.within_seconds)
    if (
        policy.action == "honour"
        and came_at <= latest
        and _is_within_drift(payment, command, option)
    ):
        return "honoured", None
    return "late", None


def _is_within_drift(payment: Payment, command: RecordTransfer, option: PaymentOption) -> bool:
    drift = payment.requested.late_policy.drift_ppm_max
    if drift is None:
        return True
    if command.worth_now is None:
        return False
    locked = payment.requested.amount.units * command.transfer.amount.units
    now = command.worth_now.units * option.due.units
    return now * _MILLION >= locked * (_MILLION - drift)


def _labels(
    payment: Payment, transfer: Transfer, standing: Standing, came_at: datetime
) -> tuple[Label, ...]:
    if standing == "wrong_asset" or standing == "wrong_network":
        return (standing,)
    option = payment.option_for(transfer)
    if came_at <= payment.requested.expires_at or option is None:
        return ()
    is_stale = option.price_lock_id is not None and standing != "repriced"
    return ("late", "stale_price") if is_stale else ("late",)


def _confirmed(
    payment: Payment, known: Arrival, command: ConfirmTransfer
) -> PaymentTransferConfirmed:
    standing = known.standing
    came_at = judged_at(known, command.seen_at, command.block)
    has_lock = standing not in WITHOUT_WORTH and standing != "canceled"
    if has_lock and came_at <= payment.requested.expires_at:
        standing = "in_time"  # its block says it came before we saw it
    account = SUSPENSE if standing in WITHOUT_WORTH else UNAPPLIED
    counted = replace(
        known,
        transfer=command.transfer,
        standing=standing,
        worth=known.worth if standing == "repriced" else None,
    )
    worth = payment.worth_of(counted, command.transfer.amount.units)
    return with_totals(
        payment,
        PaymentTransferConfirmed(
            payment_id=payment.requested.payment_id,
            transfer=command.transfer,
            block=command.block,
            confirmations=command.confirmations,
            worth=Amount(payment.requested.amount.asset, floor(worth)),
            postings=(Posting(wallet(command.transfer.network), account, command.transfer.amount),),
            totals=payment.totals,
            confirmed_at=command.at,
            standing=standing,
        ),
    )


def drop(payment: Payment, command: DropTransfer) -> Facts:
    """The transfer is in no block any more. What had been booked is reversed."""
    known = payment.arrivals.get(command.transfer.key)
    if known is None or not known.is_live:
        return ()
    if known.status == "confirmed":
        return _reorganise(payment, known, command.at)
    gone = {**payment.arrivals, known.transfer.key: replace(known, status="dropped")}
    after = replace(payment, arrivals=gone)
    status = resting_status(after, command.at)
    dropped = with_totals(
        payment,
        PaymentTransferDropped(
            payment_id=payment.requested.payment_id,
            transfer=known.transfer,
            status_after=status,
            totals=payment.totals,
            dropped_at=command.at,
        ),
    )
    return dropped, *entering(after, status, command.at)


def _reorganise(payment: Payment, known: Arrival, at: datetime) -> Facts:
    """Reverse what was recorded for the transfer, and everything that had been built on it."""
    undone = tuple(
        settling
        for settling in payment.settlings
        if any(use.transfer == known.transfer.key for use in settling.uses)
    )
    postings = [posting for settling in reversed(undone) for posting in settling.undoing()]
    postings += [posting.reversed() for posting in known.postings]
    undoes_success = any(settling.settles for settling in undone)
    reorganised = PaymentTransferReorganised(
        payment_id=payment.requested.payment_id,
        transfer=known.transfer,
        postings=tuple(postings),
        undoes_success=undoes_success,
        status_after=payment.status,
        totals=payment.totals,
        reorganised_at=at,
        undone=tuple(settling.number for settling in undone),
        grants_undone=tuple(s.grant_id for s in undone if s.grant_id is not None),
        returns_until=at + RETURN_WAIT if undoes_success else None,
    )
    status = resting_status(evolve(payment, reorganised), at)
    reorganised = with_totals(payment, replace(reorganised, status_after=status))
    after = evolve(payment, reorganised)
    return reorganised, *_after_reorganisation(payment, after, status, bool(undone), at)


def _after_reorganisation(
    before: Payment, after: Payment, status: Status, is_undone: bool, at: datetime
) -> Facts:
    if after.is_settled:
        # A decision about the excess was undone with it: what is left of that is excess again.
        return (excess_recorded(after, ()),) if is_undone and any(after.held()) else ()
    if after.is_enough(after.counted(confirmed=True)):
        return succeed(after, at)  # by another transfer, which had been excess until now
    if status == "requires_action" and is_undone:
        return (resolution_required(after, at, "reorged"),)
    return entering(replace(after, status=before.status), status, at)
