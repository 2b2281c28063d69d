"""The end behind the end: once no usage of a subscription that was canceled can come any more, what
came late is on a last bill.
"""

from __future__ import annotations

from flamewire_ledger.domain.subscription.commands import CloseSubscription
from flamewire_ledger.domain.subscription.facts import SubscriptionClosed
from flamewire_ledger.domain.subscription.state import Subscription


def close(it: Subscription, command: CloseSubscription) -> tuple[SubscriptionClosed, ...]:
    """Once, and not before it is time: what comes later than that would be on no bill."""
    if it.due_step(command.at) != "close":
        return ()
    account_id = it.started.credit_account_id
    closed = SubscriptionClosed(
        it.subscription_id, account_id, command.bill, command.carried, command.at
    )
    return (closed,)
