"""Payments that top-up rules ask for, made as the traffic makes its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flamewire_ledger.commands import payment
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.money import Amount
from tests.simulation.traffic import USD, Traffic

CREDIT_UNITS_A_CENT = 10_000


@dataclass(frozen=True)
class AskedPayment:
    envelope: Envelope
    payment_id: str
    due: Amount
    at: datetime


class SimulatedIntents:
    """`traffic` is set before anything runs."""

    traffic: Traffic

    async def make(
        self, row: Mapping[str, Any], amount: Amount, origin: Origin, *, livemode: bool
    ) -> AskedPayment:
        due = Amount(USD, -(-amount.units // CREDIT_UNITS_A_CENT))
        command, locks = await self.traffic.payment_for(row["merchant_id"], due, row["account_id"])
        envelope = payment.request(origin, command, locks)
        return AskedPayment(envelope, command.payment_id, due, command.requested_at)
