"""Commands on credit accounts, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account import CreditAccountCommand

CREDIT_ACCOUNT: Final = Decider(
    "credit_account", credit_account.evolve, credit_account.CreditAccount, "credit_account.1"
)


def envelope(
    origin: Origin, command: CreditAccountCommand, answer: Answer | None = None
) -> Envelope:
    """One command on one credit account."""
    stream_id = command.account_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: credit_account.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, CREDIT_ACCOUNT),), decide, answer)
