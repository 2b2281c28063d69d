"""Commands on credit accounts, as envelopes: a transfer is one command on two of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account import CreditAccountCommand, TransferCredits

CREDIT_ACCOUNT: Final = Decider(
    "credit_account", credit_account.evolve, credit_account.CreditAccount, "credit_account.2"
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
