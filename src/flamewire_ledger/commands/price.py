"""Commands on prices, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import price
from flamewire_ledger.domain.price import PriceCommand

PRICE: Final = Decider("price", price.evolve, price.Price, "price.1")


def envelope(origin: Origin, command: PriceCommand, answer: Answer | None = None) -> Envelope:
    """One command on the price of one thing."""
    stream_id = command.price_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: price.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, PRICE),), decide, answer)
