"""Top-ups: the worker, with payment intents made by the very functions that answer the API.

The API and the processes do not know each other; here one is handed to the other. A request of the
worker is a call like that of a key of the merchant, so whatever holds for intents holds for these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Final

from flamewire_ledger.api import payment_intents
from flamewire_ledger.api.authentication import Caller
from flamewire_ledger.api.call import Call, Office
from flamewire_ledger.api.currencies import USD
from flamewire_ledger.api.fields import Query
from flamewire_ledger.api.models.payment_intents import CreatePaymentIntent, PayWith
from flamewire_ledger.api.parts import Parts
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount

METADATA_KEY: Final = "top_up"


@dataclass(frozen=True, slots=True)
class AskedPayment:
    """A payment that is ready to be asked for, at the time it was priced."""

    envelope: Envelope
    payment_id: str
    due: Amount
    at: datetime


class ApiIntents:
    """Intents as POST /v1/payment_intents makes them."""

    def __init__(self, parts: Parts) -> None:
        self._office = Office.of(parts)

    async def make(
        self, row: Mapping[str, Any], amount: Amount, origin: Origin, *, livemode: bool
    ) -> AskedPayment:
        """Raises the Rejections of a request for a payment."""
        due = self._due(amount, row["currency"])
        body = CreatePaymentIntent(
            amount=due.text,
            currency=row["currency"],
            pay_with=[PayWith(**way) for way in row["pay_with"]] or None,
            credit_account_id=row["account_id"],
            reference=f"top-up {row['requests'] + 1}",
            metadata={METADATA_KEY: row["top_up_id"]},
            expires_in_seconds=row["expires_in_seconds"],
        )
        call = Call(
            office=self._office,
            caller=Caller("top_ups", row["merchant_id"], livemode, frozenset()),
            request_id=str(origin.command_id),
            path={},
            query=Query(),
            body=body,
            command_id=origin.command_id,
            fingerprint=origin.fingerprint,
        )
        at = call.now()
        frozen = replace(call, till_of_batch=call.till(at))  # one moment for the lock and the rule
        envelope = await payment_intents.create(frozen)
        payment_id = envelope.subjects[0].stream_id
        return AskedPayment(replace(envelope, actor=origin.actor), payment_id, due, at)

    def _due(self, amount: Amount, currency: str) -> Amount:
        """What buys so many credits, rounded up to what the currency can say."""
        if currency == CREDIT.symbol:
            return amount
        price = self._office.parts.offer.credit_price
        cents = Decimal(amount.units) * price * USD.units_per_major / CREDIT.units_per_major
        return Amount(USD, int(cents.to_integral_value(ROUND_UP)))
