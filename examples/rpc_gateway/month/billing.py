"""The accounts department: who sells, what becomes of the invoices of the plans, and what leaves the wallets."""

from __future__ import annotations

from typing import Final

from ledger import Json, Ledger

from month.cast import Customer, eventually

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
    """Invoices make themselves, of the subscriptions; here they are paid and put right."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def describe_seller(self) -> None:
        await self._ledger.post("/v1/seller", _SELLER)

    async def of_plan(self, customer: Customer) -> Json:
        """The invoice of the first period of a customer's plan."""
        invoices: list[Json] = []

        async def is_there() -> bool:
            asked = {"subscription_id": customer.subscription_id, "status": "open"}
            invoices[:] = (await self._ledger.get("/v1/invoices", **asked))["data"]
            return bool(invoices)

        await eventually(is_there, f"{customer.name} has no invoice")
        return invoices[0]

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

    async def until_priced(self, asset: str) -> None:
        """Until a price was written down: what leaves a wallet is worth what it was worth then."""

        async def is_priced() -> bool:
            return bool((await self._ledger.get(f"/v1/prices/{asset}-USD/history"))["data"])

        await eventually(is_priced, f"no price of {asset} was written down")

    async def give_back(self, amount: str, asset: str, network: str, whose: str) -> None:
        """The ledger sends no money. Whoever did tells it, and what was owed to a payer is not any more."""
        await self._left("refund", amount, asset, network, {"reference": whose})

    async def sell(self, amount: str, asset: str, network: str, usd: str) -> None:
        """For dollars, elsewhere: what was gained is what it brought beyond what it was worth when it came."""
        proceeds = {"proceeds": {"amount": usd, "currency": "USD"}}
        await self._left("sale", amount, asset, network, proceeds)

    async def _left(self, kind: str, amount: str, asset: str, network: str, more: Json) -> None:
        body = {"kind": kind, "amount": amount, "asset": asset, "network": network, **more}
        await self._ledger.post("/v1/disposals", body, once=f"{kind}-{asset}-{amount}")


def _path(invoice: Json) -> str:
    return f"/v1/invoices/{invoice['id']}"
