"""What is decided when a person says what becomes of money that is held."""

from __future__ import annotations

from fractions import Fraction

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment.commands import RequireResolution, ResolvePayment
from flamewire_ledger.domain.payment.facts import PaymentResolved, Status, Use
from flamewire_ledger.domain.payment.settling import (
    Facts,
    moved,
    next_grant_id,
    resolution_required,
    resting_status,
    succeed,
    uses_of_all,
    with_totals,
)
from flamewire_ledger.domain.payment.state import Arrival, Payment, evolve, floor
from flamewire_ledger.domain.posting import DEFERRED_CREDITS, REFUNDS_PAYABLE, WRITE_OFFS
from flamewire_ledger.domain.rejection import Malformed, NotAllowed


def resolve(payment: Payment, command: ResolvePayment) -> Facts:
    """Accept, credit, refund or write off what is held."""
    if not command.reason.strip():
        raise Malformed("a decision about money has a reason", pointer="/reason")
    held = tuple(payment.held())
    if payment.status != "requires_action" and not (payment.is_settled and held):
        raise NotAllowed("nothing of this payment waits for a decision")
    match command.choice:
        case "accept":
            return _accept(payment, command)
        case "credit":
            return _credit(payment, command)
        case "refund":
            return _give_up(payment, command, held, REFUNDS_PAYABLE)
        case "write_off":
            return _give_up(payment, command, held, WRITE_OFFS)


def require(payment: Payment, command: RequireResolution) -> Facts:
    """A person has to look at it, unless it has succeeded again or is about to."""
    if payment.is_settled or (payment.status == "requires_action" and payment.why == command.why):
        return ()
    if payment.is_enough(payment.counted(confirmed=False)):
        return ()
    return (resolution_required(payment, command.at, command.why),)


def _with_worth(payment: Payment) -> tuple[Arrival, ...]:
    held = tuple(arrival for arrival in payment.held() if not arrival.is_in_suspense)
    if not held:
        raise NotAllowed("what is held has no locked worth: refund it or write it off")
    return held


def _accept(payment: Payment, command: ResolvePayment) -> Facts:
    """What is held counts as the full payment, late or short as it may be."""
    if payment.is_settled:
        raise NotAllowed("the payment has succeeded: credit, refund or write off the excess")
    _with_worth(payment)
    resolved = _resolved(payment, command, (), None, None, "succeeded")
    after = evolve(payment, resolved)
    return resolved, *succeed(after, command.at, manual=True)


def _credit(payment: Payment, command: ResolvePayment) -> Facts:
    """What is held becomes credits, in proportion to what a full payment buys."""
    promised = payment.requested.credits
    if promised is None:
        raise NotAllowed("this payment buys no credits: accept, refund or write off what is held")
    held = _with_worth(payment)
    worth = sum((payment.worth_of(each, each.open_units) for each in held), Fraction(0))
    bought = Amount(promised.asset, floor(promised.units * worth / payment.requested.amount.units))
    if bought.is_zero:
        raise NotAllowed("what is held is worth less than one unit of credit")
    uses = uses_of_all(held)
    return (_resolved(payment, command, uses, DEFERRED_CREDITS, bought, "succeeded"),)


def _give_up(
    payment: Payment, command: ResolvePayment, held: tuple[Arrival, ...], account: str
) -> Facts:
    uses = uses_of_all(held)
    if not uses:
        if command.choice == "refund":
            raise NotAllowed("nothing is held that could be refunded")
        return (_resolved(payment, command, (), None, None, "failed"),)
    provisional = _resolved(payment, command, uses, account, None, payment.status)
    status = resting_status(evolve(payment, provisional), command.at)
    return (_resolved(payment, command, uses, account, None, status),)


def _resolved(
    payment: Payment,
    command: ResolvePayment,
    uses: tuple[Use, ...],
    account: str | None,
    credits_bought: Amount | None,
    status: Status,
) -> PaymentResolved:
    grant_id = None if credits_bought is None else next_grant_id(payment, command.at)
    event = PaymentResolved(
        payment_id=payment.requested.payment_id,
        choice=command.choice,
        reason=command.reason,
        postings=() if account is None else moved(payment, uses, account),
        credits=credits_bought,
        credit_account_id=None if grant_id is None else payment.requested.credit_account_id,
        status_after=status,
        totals=payment.totals,
        resolved_at=command.at,
        uses=uses,
        grant_id=grant_id,
        refund_to=command.refund_to if command.choice == "refund" else (),
    )
    return with_totals(payment, event)
