"""Everything merchants ask beyond payments, mixed: credits, plans, invoices and usage."""

from __future__ import annotations

from collections import Counter

from tests.simulation.credit_traffic import CreditTraffic
from tests.simulation.invoice_traffic import InvoiceTraffic
from tests.simulation.plan_traffic import PlanTraffic
from tests.simulation.readings import Readings
from tests.simulation.roles import Api
from tests.simulation.traffic import Traffic
from tests.simulation.usage_traffic import UsageTraffic


class Business:
    """What a merchant sells with."""

    def __init__(self, traffic: Traffic, readings: Readings, apis: list[Api]) -> None:
        self.traffic = traffic
        self.credits = CreditTraffic(traffic, readings)
        self.invoices = InvoiceTraffic(traffic, readings)
        self.usage = UsageTraffic(traffic, apis)
        self.plans = PlanTraffic(traffic, readings, self.usage.billed)

    async def open_the_doors(self) -> None:
        """Meters and plans, before any fault."""
        await self.usage.open_the_doors()
        await self.plans.open_the_doors()

    async def something(self) -> None:
        """One random command."""
        does = self.traffic.chance.choices(
            [
                self.credits.something, self.invoices.something, self.usage.something,
                self.plans.something,
            ],
            [30, 25, 25, 20],
        )[0]  # fmt: skip
        await does()

    async def end_what_recurs(self) -> None:
        """Rules and subscriptions would keep a run from coming to rest."""
        await self.credits.end_what_recurs()
        await self.plans.end_what_recurs()

    @property
    def counts(self) -> Counter[str]:
        return self.usage.counts
