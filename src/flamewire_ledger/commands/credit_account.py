"""Commands on credit accounts, as envelopes: a transfer is one command on two of them, and a purchase
is refunded by the word of its payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.commands.payment import PAYMENT
from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account import (
    CreditAccountCommand,
    RefundPurchase,
    TransferCredits,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.rejection import NotAllowed

CREDIT_ACCOUNT: Final = Decider(
    "credit_account", credit_account.evolve, credit_account.CreditAccount, "credit_account.4"
)


def envelope(
    origin: Origin, command: CreditAccountCommand, answer: Answer | None = None
) -> Envelope:
    """One command on one credit account."""
    stream_id = command.account_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: credit_account.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, CREDIT_ACCOUNT),), decide, answer)


def transfer(origin: Origin, command: TransferCredits, answer: Answer | None = None) -> Envelope:
    """Credits of one account go on in another, recorded on both or on none."""
    sender, receiver = command.account_id, command.to_account_id

    def decide(states: Mapping[str, Any]) -> Facts:
        left, came = credit_account.decide_transfer(states[sender], states[receiver], command)
        return {sender: left, receiver: came}

    subjects = [Subject(each, CREDIT_ACCOUNT) for each in dict.fromkeys((sender, receiver))]
    return origin.envelope(tuple(subjects), decide, answer)


def refund_purchase(
    origin: Origin,
    command: RefundPurchase,
    payment_id: str,
    paid: Mapping[str, tuple[Amount, ...]],
    answer: Answer | None = None,
) -> Envelope:
    """Take back what is left of a purchase. A payment may have bought several grants, and this one may
    be a part of one of them that was transferred; the account knows of which. `paid`: what this one
    cost, by the grant that the payment made. Whether that sale still stands the payment knows.
    """
    account_id = command.account_id

    def decide(states: Mapping[str, Any]) -> Facts:
        payment: Payment | None = states[payment_id]
        settlings = () if payment is None else payment.settlings
        grant = None if states[account_id] is None else states[account_id].grant(command.grant_id)
        bought = None if grant is None else grant.terms.bought_grant_id
        if bought is not None and bought not in [it.grant_id for it in settlings]:
            raise NotAllowed(f"the payment {payment_id} was taken back: nothing is left to return")
        if bought is not None and bought not in paid:
            raise NotAllowed(f"{payment_id} has sold {bought} in the meantime: ask again")
        known = replace(command, paid=paid.get(bought or "", ()))
        return {account_id: credit_account.decide(states[account_id], known)}

    subjects = (Subject(account_id, CREDIT_ACCOUNT), Subject(payment_id, PAYMENT))
    return origin.envelope(subjects, decide, answer)
