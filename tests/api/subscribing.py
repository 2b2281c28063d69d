"""A ledger whose processes run when a test says so: time passes, and all that follows is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.dunning import Dunning
from flamewire_ledger.processes.entitling import Entitling
from flamewire_ledger.processes.process import Process
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.renewals import Renewals
from flamewire_ledger.processes.subscribing import SubscriptionBilling
from flamewire_ledger.queries.metered_usage import MeteredUsage
from tests.api.world import World

ROUNDS_MAX = 20
PRO = {
    "code": "pro",
    "name": "Pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "fixed_prices": [{"name": "Pro plan", "amount": "30.00"}],
    "due_days": 90,  # so that it stays active where paying is not the point
}
DAY = 86_400


@dataclass
class Shop:
    """Plans, subscribers, and a clock."""

    ledger: World
    account: str = ""

    def __post_init__(self) -> None:
        self.checkpoints = MemoryCheckpoints()
        self.dead_letters = MemoryDeadLetters()
        ledger = self.ledger
        clocks = {False: ledger.clock}
        usage = MeteredUsage(ledger.reads, ledger.store)
        self.renewals = Renewals(
            ledger.reads, usage, ledger.store, ledger.codec, ledger.writer, clocks
        )
        self.deadlines = Deadlines(ledger.reads, ledger.writer, clocks)

    def reactor(self, *processes: Process) -> Reactor:
        ledger = self.ledger
        return Reactor(
            ledger.store,
            Reactions(ledger.store, ledger.codec, ledger.writer, wait_seconds_first=0.001),
            processes or (SubscriptionBilling(), Dunning(), Entitling()),
            self.checkpoints,
            self.dead_letters,
        )

    async def settle(self) -> None:
        """All that is due now, and all that follows from it."""
        for _ in range(ROUNDS_MAX):
            before = await self.ledger.store.head(0)
            await self.seen()
            await self.renewals.sweep(livemode=False)
            await self.reactor().catch_up(0)
            await self.seen()
            await self.deadlines.sweep(livemode=False)
            await self.reactor().catch_up(0)
            if await self.ledger.store.head(0) == before:
                parked = await self.dead_letters.parked(0)
                assert not parked.waiting, "every event was handled"
                return
        raise AssertionError("it does not come to rest")

    async def seen(self) -> None:
        """The read models come up to the store."""
        head = await self.ledger.store.head(0)
        assert await self.ledger.reads.wait_for(0, head, ("subscriptions", "invoices"), 5)

    async def later(self, seconds: int) -> None:
        """The sandbox clock moves on, and the ledger catches up."""
        moved = await self.ledger.post("/v1/sandbox/clock", {"advance_seconds": seconds}, once=None)
        assert moved.status_code == 200
        await self.settle()

    async def until(self, moment: str) -> None:
        """To this time, such as 2026-03-31T12:00:00+00:00."""
        ahead = datetime.fromisoformat(moment) - self.ledger.clock.now()
        await self.later(int(ahead.total_seconds()))

    async def plan(self, **terms: Any) -> dict[str, Any]:
        made = await self.ledger.post("/v1/plans", {**PRO, **terms})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def subscribe(self, plan: str = "pro", **more: Any) -> dict[str, Any]:
        if not self.account:
            self.account = (await self.ledger.post("/v1/credit_accounts", {})).json()["id"]
        body = {"credit_account_id": self.account, "plan": plan, **more}
        made = await self.ledger.post("/v1/subscriptions", body)
        assert made.status_code == 201, made.text
        await self.settle()
        return dict(made.json())

    async def act(self, subscription: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
        done = await self.ledger.post(f"/v1/subscriptions/{subscription['id']}/{what}", body)
        assert done.status_code == 200, done.text
        await self.settle()
        return dict(done.json())

    async def look(self, subscription: dict[str, Any]) -> dict[str, Any]:
        found = await self.ledger.get(f"/v1/subscriptions/{subscription['id']}")
        assert found.status_code == 200, found.text
        return dict(found.json())

    async def upcoming(self, subscription: dict[str, Any]) -> dict[str, Any]:
        found = await self.ledger.get(f"/v1/subscriptions/{subscription['id']}/upcoming_invoice")
        assert found.status_code == 200, found.text
        return dict(found.json())

    async def invoices(self) -> list[dict[str, Any]]:
        """All of them, the oldest number first."""
        found = (await self.ledger.get("/v1/invoices", limit=100)).json()["data"]
        return sorted(found, key=lambda it: str(it["number"]))

    async def balance(self) -> dict[str, Any]:
        return dict(
            (await self.ledger.get(f"/v1/credit_accounts/{self.account}")).json()["balance"]
        )
