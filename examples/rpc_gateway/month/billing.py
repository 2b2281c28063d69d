"""The accounts department: who sells, what becomes of the invoices of the plans, and what leaves the wallets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger import Json, Ledger

from month.cast import Customer, eventually

EARNED: Final = "payment.revenue_recognised.v1"
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

    async def until_earned(self, customers: list[Customer]) -> None:
        """Until the books say of all credits that were bought and burnt that they are earned: at the
        end of the day.
        """

        async def is_earned() -> bool:
            burnt = [await bought_and_burnt(self._ledger, it.account_id) for it in customers]
            events = await self._ledger.get("/v1/events", type=EARNED, limit=100)
            return earned_by(events["data"]) == sum(burnt)

        await eventually(is_earned, "what was burnt is not earned")

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


async def bought_and_burnt(ledger: Ledger, account_id: str) -> int:
    """Of what an account has bought, in millionths of a credit. Nothing that is bought here lapses."""
    path = f"/v1/credit_accounts/{account_id}"
    entries = await ledger.list_all(f"{path}/entries")
    bought = [
        int(it["amount_minor"])
        for it in entries
        if it["kind"] == "granted" and it["payment_intent_id"]
    ]
    left = [
        int(it["remaining_minor"])
        for it in (await ledger.get(path))["grants"]
        if it["payment_intent_id"]
    ]
    return sum(bought) - sum(left)


def earned_by(events: Iterable[Json]) -> int:
    """Credits that payments have earned by these events: each says the sum of its grant so far."""
    spent = {
        grant["grant_id"]: int(grant["spent"])
        for event in events
        for grant in event["data"]["grants"]
        if event["type"] == EARNED
    }
    return sum(spent.values())


def _path(invoice: Json) -> str:
    return f"/v1/invoices/{invoice['id']}"
