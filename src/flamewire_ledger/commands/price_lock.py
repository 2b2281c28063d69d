"""Commands on price locks, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import price_lock
from flamewire_ledger.domain.price_lock import LockPrice, PriceLockCommand

PRICE_LOCK: Final = Decider("price_lock", price_lock.evolve, price_lock.PriceLock, "price_lock.2")


def envelope(origin: Origin, command: PriceLockCommand, answer: Answer | None = None) -> Envelope:
    """One command on one price lock."""
    stream_id = command.lock_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: price_lock.decide(states[stream_id], command)}

    subject = Subject(stream_id, PRICE_LOCK, is_new=isinstance(command, LockPrice))
    return origin.envelope((subject,), decide, answer)
