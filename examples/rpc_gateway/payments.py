"""How a customer comes by more credits: a payment intent of the ledger, offered as x402 does.

A customer who is out of credits calls again and again: one open intent serves all those calls until
it is paid or lapses, so nobody is asked to pay twice.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Final

from catalogue import TOP_UP_USD
from customers import Customer
from ledger import Json, Ledger, Refused, Unreachable
from starlette.responses import JSONResponse, Response

OFFER_SECONDS: Final = 600  # an intent lives 900: whoever is offered it has time to pay


@dataclass(frozen=True, slots=True)
class _Offer:
    intent: Json
    made_at: float


class TopUps:
    """Asks for payments, and remembers what it offered in answers 402."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._offers: dict[str, _Offer] = {}
        self._asking: dict[str, asyncio.Task[Json]] = {}

    async def ask(self, customer: Customer, usd: str) -> Json:
        """A payment intent for so many dollars of credits."""
        body = {
            "amount": usd,
            "currency": "USD",
            "credit_account_id": customer.account_id,
            "reference": f"credits for {customer.name}",
        }
        return await self._ledger.post(
            "/v1/payment_intents", body, once=f"topup-{secrets.token_hex(16)}"
        )

    async def offer(self, customer: Customer) -> Json:
        """The open intent of a customer who is out of credits; a new one if there is none. Calls at
        the same time wait for the same answer.
        """
        asking = self._asking.get(customer.account_id)
        if asking is None:
            asking = asyncio.create_task(self._offer(customer))
            self._asking[customer.account_id] = asking
            asking.add_done_callback(lambda _: self._asking.pop(customer.account_id))
        return await asyncio.shield(asking)

    async def _offer(self, customer: Customer) -> Json:
        known = self._offers.get(customer.account_id)
        if known is not None and time.monotonic() - known.made_at < OFFER_SECONDS:
            intent = await self._ledger.get(f"/v1/payment_intents/{known.intent['id']}")
            if intent["status"] in {"requires_payment", "processing"}:
                return intent
        intent = await self.ask(customer, TOP_UP_USD[customer.plan])
        self._offers[customer.account_id] = _Offer(intent, time.monotonic())
        return intent


async def payment_required(top_ups: TopUps, customer: Customer, resource: str) -> Response:
    """402 in the shape of x402: `accepts` lists every way to pay, in base units of its asset."""
    body: Json = {
        "x402Version": 1,
        "error": "insufficient_credits",
        "detail": "not enough credits are left: pay one of these, then send it again",
        "accepts": [],
    }
    try:
        intent = await top_ups.offer(customer)
    except (Unreachable, Refused):
        return JSONResponse(body, 402, {"Retry-After": "5"})
    body["payment_intent_id"] = intent["id"]
    body["accepts"] = [
        {
            "scheme": "exact",
            "network": option["network"],
            "asset": option["asset"],
            "maxAmountRequired": option["amount_minor"],
            "payTo": option["address"],
            "resource": resource,
            "description": f"{intent['credits']} credits",
            "mimeType": "application/json",
            "maxTimeoutSeconds": OFFER_SECONDS,
            "extra": {
                "amount": option["amount"],
                "uri": option["uri"],
                "asset_id": option["asset_id"],
                "payment_intent_id": intent["id"],
            },
        }
        for option in intent["payment_options"]
    ]
    return JSONResponse(body, 402)
