"""What is decided on a payment: the one way in, and its life beside its transfers."""

from __future__ import annotations

from typing import Final, assert_never

from flamewire_ledger.domain.payment.commands import (
    CancelPayment,
    ConfirmTransfer,
    DropTransfer,
    ExpirePayment,
    PaymentCommand,
    RecogniseRevenue,
    RecordTransfer,
    ReleaseApplied,
    RequestPayment,
    RequireResolution,
    ResolvePayment,
)
from flamewire_ledger.domain.payment.facts import PaymentCanceled, PaymentRequested
from flamewire_ledger.domain.payment.recognising import recognise
from flamewire_ledger.domain.payment.releasing import release
from flamewire_ledger.domain.payment.resolving import require, resolve
from flamewire_ledger.domain.payment.settling import Facts, entering, resting_status
from flamewire_ledger.domain.payment.state import Payment
from flamewire_ledger.domain.payment.transfers import confirm, drop, record
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

OPTIONS_MAX: Final = 32
_MILLION: Final = 1_000_000


def decide(payment: Payment | None, command: PaymentCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say.

    Commands about transfers are never refused for what the transfer is: its money has arrived.
    """
    if isinstance(command, RequestPayment):
        return _request(payment, command)
    if payment is None:
        raise NotFound(f"there is no payment {command.payment_id}")
    match command:
        case RecordTransfer():
            return record(payment, command)
        case ConfirmTransfer():
            return confirm(payment, command)
        case DropTransfer():
            return drop(payment, command)
        case ExpirePayment():
            return _expire(payment, command)
        case CancelPayment():
            return _cancel(payment, command)
        case ResolvePayment():
            return resolve(payment, command)
        case RequireResolution():
            return require(payment, command)
        case ReleaseApplied():
            return release(payment, command)
        case RecogniseRevenue():
            return recognise(payment, command)
        case _:
            assert_never(command)


def _request(payment: Payment | None, command: RequestPayment) -> Facts:
    if payment is not None:
        raise AlreadyExists(f"payment {command.payment_id} exists")
    _check(command)
    return (
        PaymentRequested(
            payment_id=command.payment_id,
            amount=command.amount,
            options=command.options,
            credits=command.credits,
            credit_account_id=command.credit_account_id,
            reference=command.reference,
            metadata=command.metadata,
            tolerance_ppm=command.tolerance_ppm,
            late_policy=command.late_policy,
            requested_at=command.requested_at,
            expires_at=command.expires_at,
            invoice_id=command.invoice_id,
        ),
    )


def _check(command: RequestPayment) -> None:
    if command.amount.is_zero:
        raise InvalidAmount("a payment is of more than zero", pointer="/amount")
    if not command.options:
        raise Malformed("a payment can be paid in at least one way", pointer="/pay_with")
    if len(command.options) > OPTIONS_MAX:
        raise LimitReached(f"a payment has at most {OPTIONS_MAX} ways to pay", pointer="/pay_with")
    if any(option.due.is_zero for option in command.options):
        raise InvalidAmount("the amount is less than one unit of an asset", pointer="/amount")
    assets = {(option.network, option.due.asset.code) for option in command.options}
    if len(assets) != len(command.options):
        raise Malformed("each asset is one way to pay, not two", pointer="/pay_with")
    if command.expires_at <= command.requested_at:
        raise Malformed("a payment expires after it is made", pointer="/expires_in_seconds")
    if not 0 <= command.tolerance_ppm < _MILLION:
        raise Malformed("a tolerance is from 0 to less than all", pointer="/tolerance")
    if (command.credits is None) != (command.credit_account_id is None):
        raise Malformed("credits and the account they are for come together")
    if command.credits is not None and command.invoice_id is not None:
        raise Malformed("a payment buys credits or pays an invoice, not both")
    if command.credits is not None and command.credits.is_zero:
        raise InvalidAmount("the amount buys less than one unit of credit", pointer="/amount")
    drift = command.late_policy.drift_ppm_max
    if command.late_policy.within_seconds < 0 or (drift is not None and drift < 0):
        raise Malformed("the limits of a late policy are not negative", pointer="/late_policy")


def _cancel(payment: Payment, command: CancelPayment) -> Facts:
    if payment.status == "canceled":
        return ()
    is_seen = any(arrival.is_live for arrival in payment.arrivals.values())
    if payment.status != "requires_payment" or is_seen:
        raise NotAllowed(
            "only a payment nothing has been seen of can be canceled; this one is "
            + payment.status.replace("_", " ")
        )
    return (PaymentCanceled(command.payment_id, command.at),)


def _expire(payment: Payment, command: ExpirePayment) -> Facts:
    """Time is up. What is on its way in time is waited for; what follows then, its end decides."""
    if payment.status in ("succeeded", "canceled", "failed", "expired"):
        return ()
    if command.at < (payment.returns_until or payment.requested.expires_at):
        raise NotAllowed(f"payment {command.payment_id} has not expired yet")
    return entering(payment, resting_status(payment, command.at), command.at)
