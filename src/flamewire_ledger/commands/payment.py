"""Commands on payments, as envelopes: a payment, and the price locks it takes with it, are recorded
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.commands.price_lock import PRICE_LOCK
from flamewire_ledger.domain import payment, price_lock
from flamewire_ledger.domain.payment import PaymentCommand, RequestPayment
from flamewire_ledger.domain.price_lock import LockPrice, UsePriceLock

PAYMENT: Final = Decider("payment", payment.evolve, payment.Payment, "payment.4")


def envelope(origin: Origin, command: PaymentCommand, answer: Answer | None = None) -> Envelope:
    """One command on one payment."""
    stream_id = command.payment_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: payment.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, PAYMENT),), decide, answer)


def request(
    origin: Origin,
    command: RequestPayment,
    locks: Sequence[LockPrice | UsePriceLock],
    answer: Answer | None = None,
) -> Envelope:
    """Ask for a payment at locked rates: each lock is made for it, or was made before and is used
    up by it.
    """
    stream_id = command.payment_id

    def decide(states: Mapping[str, Any]) -> Facts:
        # The payment comes last: its position is the command's.
        facts: dict[str, Sequence[Any]] = {
            lock.lock_id: price_lock.decide(states[lock.lock_id], lock) for lock in locks
        }
        facts[stream_id] = payment.decide(states[stream_id], command)
        return facts

    subjects = (
        Subject(stream_id, PAYMENT, is_new=True),
        *[Subject(it.lock_id, PRICE_LOCK, is_new=isinstance(it, LockPrice)) for it in locks],
    )
    return origin.envelope(subjects, decide, answer)
