"""Commands on top-ups, as envelopes: a request for one, the payment it asks for and the balance that
it is decided on are one command.

Whether credits are short is asked of the account itself, whatever a read model said a moment ago. A
top-up is paid when the credits are there, and not before: or the same lack would be seen again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.commands.credit_account import CREDIT_ACCOUNT
from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.commands.payment import PAYMENT
from flamewire_ledger.domain import top_up
from flamewire_ledger.domain.credit_account import CreditAccount, balance_units
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.payment.transfers import RETURN_WAIT
from flamewire_ledger.domain.rejection import NotAllowed, NotFound
from flamewire_ledger.domain.top_up import (
    CloseTopUp,
    Outcome,
    ReopenTopUp,
    RequestTopUp,
    TopUp,
    TopUpCommand,
)

TOP_UP: Final = Decider("top_up", top_up.evolve, top_up.TopUp, "top_up.2")


def top_up_id(account_id: str) -> str:
    """An account has one rule, and so one stream for it."""
    return f"tu_{account_id.partition('_')[2]}"


def envelope(origin: Origin, command: TopUpCommand, answer: Answer | None = None) -> Envelope:
    """One command on one top-up."""
    stream_id = command.top_up_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: top_up.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, TOP_UP),), decide, answer)


def available_units(account: CreditAccount, at: datetime) -> int:
    """What can be burnt, less what is owed and would be paid with it first; so it may be below zero."""
    now = balance_units(account, at)
    return now.available - now.owed


def request(
    payment: Envelope, account_id: str, command: RequestTopUp, paid: Sequence[str] = ()
) -> Envelope:
    """The payment's own command, with the top-up that asks for it: recorded whole or not at all.

    `paid`: the payments of this top-up that were paid last; each is looked at, as one that its chain
    has taken back since may come again.
    """
    stream_id = command.top_up_id

    def decide(states: Mapping[str, Any]) -> Facts:
        account = states[account_id]
        if account is None:
            raise NotFound(f"there is no credit account {account_id}")
        known = replace(
            command,
            available_units=available_units(account, command.at),
            standing={it: _is_standing(states[it]) for it in paid},
        )
        asked = top_up.decide(states[stream_id], known)
        facts: dict[str, Sequence[Any]] = {stream_id: asked}
        facts.update(payment.decide(states))
        return facts

    subjects = (
        Subject(stream_id, TOP_UP),
        Subject(account_id, CREDIT_ACCOUNT),
        *(Subject(it, PAYMENT) for it in paid),
    )
    return replace(payment, subjects=(*subjects, *payment.subjects), decide=decide)


def close(
    origin: Origin, stream_id: str, payment_id: str, account_id: str, at: datetime
) -> Envelope:
    """Close a request by what has become of its payment, by the payment's own word."""

    def decide(states: Mapping[str, Any]) -> Facts:
        state = states[stream_id]
        if _is_gone(state, states[payment_id], at):
            outcome: Outcome = "taken_back"
        else:
            outcome = _outcome(states[payment_id], states[account_id])
        command = CloseTopUp(stream_id, payment_id, outcome, at)
        return {stream_id: top_up.decide(state, command)}

    subjects = (
        Subject(stream_id, TOP_UP),
        Subject(payment_id, PAYMENT),
        Subject(account_id, CREDIT_ACCOUNT),
    )
    return origin.envelope(subjects, decide)


def reopen(origin: Origin, stream_id: str, payment_id: str, at: datetime) -> Envelope:
    """Open a request again that had been paid, if its chain has taken that back."""

    def decide(states: Mapping[str, Any]) -> Facts:
        if _is_standing(states[payment_id]):
            return {}
        command = ReopenTopUp(stream_id, payment_id, at)
        return {stream_id: top_up.decide(states[stream_id], command)}

    subjects = (Subject(stream_id, TOP_UP), Subject(payment_id, PAYMENT))
    return origin.envelope(subjects, decide)


def _is_standing(payment: Payment | None) -> bool:
    return payment is not None and payment.status == "succeeded"


def _is_gone(state: TopUp | None, payment: Payment | None, at: datetime) -> bool:
    """Whether what had been paid was taken back, and has had the time to come again. A person still
    has to decide about the credits that were spent: that is no reason to ask for no others.
    """
    return (
        state is not None
        and state.reopened_at is not None
        and at >= state.reopened_at + RETURN_WAIT
        and payment is not None
        and payment.status == "requires_action"
        and payment.why == "reorged"
        and not payment.is_awaited
    )


def _outcome(payment: Payment | None, account: CreditAccount | None) -> Outcome:
    if payment is None or account is None:
        raise NotFound("there is no such payment, or no such account")
    match payment.status:
        case "expired" | "canceled" | "failed":
            return payment.status
        case "succeeded":
            grants = [it.grant_id for it in payment.settlings if it.grant_id is not None]
            if all(account.grant(grant_id) is not None for grant_id in grants):
                return "paid"
            raise NotAllowed("it is paid, and its credits are not granted yet")
        case _:
            raise NotAllowed("the payment is still open")
