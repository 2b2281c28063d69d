"""Invoices for what is not sold as credits: a fee, with tax, owed until it is paid."""

from __future__ import annotations

from typing import Final

from cast import Customer, eventually
from ledger import Json, Ledger

_SELLER: Final = {
    "name": "RPC Gateway GmbH",
    "address": {
        "line1": "Beispielstraße 7",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    },
    "tax_id": "DE123456789",
    "email": "billing@gateway.example",
}


class Billing:
    """The gateway's accounts department."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def describe_seller(self) -> None:
        await self._ledger.post("/v1/seller", _SELLER)

    async def invoice(self, customer: Customer, what: str, usd: str) -> Json:
        """Draft it and give it its number: from then on it never changes."""
        draft = {
            "customer": {
                "credit_account_id": customer.account_id,
                "name": customer.name,
                "address": {"line1": "1 Example Street", "city": "Berlin", "country": "DE"},
            },
            "currency": "USD",
            "lines": [{"description": what, "unit_price": usd, "tax_rate": "19"}],
            "due_days": 14,
            "memo": "Payable in TAO, ETH, SUI or USDC at the price of the moment you pay.",
        }
        key = f"invoice-{customer.account_id}-{what}"
        invoice = await self._ledger.post("/v1/invoices", draft, once=key)
        return await self._ledger.post(f"{_path(invoice)}/finalize", {}, once=f"final-{key}")

    async def ask(self, invoice: Json) -> Json:
        """The payment intent that pays all of it."""
        asked = await self._ledger.post(f"{_path(invoice)}/pay", {}, once=f"pay-{invoice['id']}")
        intent: Json = asked["payment_intent"]
        return intent

    async def until_paid(self, invoice: Json) -> None:
        async def is_paid() -> bool:
            return bool((await self._ledger.get(_path(invoice)))["status"] == "paid")

        await eventually(is_paid, f"{invoice['number']} is not paid")

    async def credit(self, invoice: Json, usd: str, reason: str) -> None:
        """Give a part of its first line back; an invoice that has its number stays as it is."""
        body = {"reason": reason, "lines": [{"line": 1, "amount": usd}]}
        path = f"{_path(invoice)}/credit_notes"
        await self._ledger.post(path, body, once=f"credit-{invoice['id']}")


def _path(invoice: Json) -> str:
    return f"/v1/invoices/{invoice['id']}"
