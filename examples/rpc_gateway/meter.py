"""From the spool to the ledger's books, and from the ledger's events to the balances in memory.

Two loops. One seals what was served and sends it in batches, until the ledger has confirmed it; the
other follows the ledger's events, and asks anew about every account that something happened to:
somebody paid, credits lapsed. Either only waits while the ledger is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from customers import Customer, Customers, in_credits
from ledger import Json, Ledger, Refused, Unreachable
from spool import Bundle, Spool

LINES_MAX: Final = 500
EVENTS_MAX: Final = 100
WAIT_SECONDS_MAX: Final = 5.0

log = logging.getLogger("gateway")


class Meter:
    """Keeps the ledger and the gateway's memory telling the same story."""

    def __init__(
        self, ledger: Ledger, spool: Spool, customers: Customers, *, flush_seconds: float
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._customers = customers
        self._flush_seconds = flush_seconds
        self.is_connected = False

    async def send_for_ever(self) -> None:
        """Flush every so often; back off while the ledger does not answer."""
        wait = self._flush_seconds
        while True:
            await asyncio.sleep(wait)
            try:
                await self.flush()
                self.is_connected, wait = True, self._flush_seconds
            except (Unreachable, Refused) as failure:
                self.is_connected, wait = False, min(wait * 2, WAIT_SECONDS_MAX)
                log.warning("%d calls wait for the ledger: %s", self._spool.waiting, failure)

    async def flush(self) -> None:
        """Seal and send everything; what cannot be charged for now stays."""
        self._spool.seal()
        while bundles := [it for it in self._spool.bundles(LINES_MAX) if self._is_payable(it)]:
            answers = await self._ledger.batch([_line(it) for it in bundles])
            if not self._take(bundles, answers):
                return

    async def follow_for_ever(self) -> None:
        """Start from how everybody stands; then go where something happens."""
        after: int | None = None
        while True:
            try:
                if after is None:
                    after = await self._look_at_all()
                elif (after_next := await self._look_at_events(after)) != after:
                    after = after_next
                    continue
            except (Unreachable, Refused) as failure:
                log.warning("the ledger's events are not to be had: %s", failure)
                await asyncio.sleep(1)
            await asyncio.sleep(self._flush_seconds)

    async def _look_at_all(self) -> int:
        """Everybody's balance is at least as new as the position that is returned."""
        after = 0
        for customer in list(self._customers.by_account.values()):
            await self._customers.refresh(customer)
            after = customer.position if after == 0 else min(after, customer.position)
        return after

    async def _look_at_events(self, after: int) -> int:
        page = await self._ledger.get("/v1/events", after=after, limit=EVENTS_MAX)
        happened = {it["stream_id"]: it["position"] for it in page["data"]}
        for account_id, position in happened.items():
            customer = self._customers.by_account.get(account_id)
            if customer is not None and customer.position < position:
                await self._customers.refresh(customer, at_least=position)
        return int(page["next_after"])

    def _is_payable(self, bundle: Bundle) -> bool:
        if bundle.refused is None:
            return True
        return self._customers.by_account[bundle.account_id].available >= bundle.micro

    def _take(self, bundles: Sequence[Bundle], answers: Sequence[Json]) -> bool:
        """Whether any was confirmed: if not, sending them again at once would be no use."""
        confirmed: list[Bundle] = []
        for bundle, answer in zip(bundles, answers, strict=True):
            customer = self._customers.by_account[bundle.account_id]
            if answer["status"] == "ok":
                confirmed.append(bundle)
                balance = answer["result"]["balance"]
                customer.hear(balance["available_minor"], answer["position"])
            elif answer["status"] == "rejected":
                self._refused(customer, bundle, answer)
        self._spool.confirm(confirmed)
        for bundle in confirmed:
            self._customers.by_account[bundle.account_id].pending -= bundle.micro
        return bool(confirmed)

    def _refused(self, customer: Customer, bundle: Bundle, answer: Json) -> None:
        """Served, and not paid for: what is pending keeps the customer out until somebody pays."""
        self._spool.refuse(bundle, answer["code"])
        log.error("%s of %s: %s", bundle.id, customer.name, answer["detail"])


def _line(bundle: Bundle) -> dict[str, Any]:
    return {
        "id": bundle.id,
        "command": "consume_credits",
        "params": {
            "credit_account_id": bundle.account_id,
            "amount": in_credits(bundle.micro),
            "reference": f"{bundle.method} x {bundle.count}",
        },
    }
