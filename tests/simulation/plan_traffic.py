"""What merchants ask of plans and subscriptions: start, change, pause, resume, cancel, withdraw."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flamewire_ledger.billing.arrears import usage_until
from flamewire_ledger.billing.subscriptions import Usage
from flamewire_ledger.commands import plan, subscription
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.subscription import CancelNow, Change, Start
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.plan import ArchivePlan, CreatePlan, RevisePlan, plan_id_of
from flamewire_ledger.domain.plan_terms import (
    FixedPrice,
    IncludedCredits,
    Interval,
    MeteredPrice,
    PlanEntitlement,
    PlanTerms,
    PriceTerms,
)
from flamewire_ledger.domain.subscription import (
    PauseSubscription,
    ResumeSubscription,
    ScheduleCancel,
    Subscription,
)
from flamewire_ledger.queries.metered_usage import UsageBehind
from tests.simulation.readings import Readings
from tests.simulation.traffic import USD, Traffic, answer_of

METERED = "Calls"  # what each metered price is called
CENTS_A_CALL = 1
_INTERVALS = (Interval("day"), Interval("day", 3), Interval("week"), Interval("month"))


@dataclass
class PlanTraffic:
    """`meters` are those of each merchant that are billed. `readings` knows what was used."""

    traffic: Traffic
    readings: Readings
    meters: dict[str, str] = field(default_factory=dict)
    plans: list[tuple[str, str]] = field(default_factory=list)  # (merchant, plan)
    subscriptions: list[tuple[str, str]] = field(default_factory=list)

    async def open_the_doors(self) -> None:
        for merchant_id in self.traffic.merchants:
            for number in range(3):
                await self.create(merchant_id, f"plan-{number}")

    async def something(self) -> None:
        """One random command."""
        does = self.traffic.chance.choices(
            [self.start, self.change, self.pause, self.resume, self.cancel, self.revise],
            [30, 25, 10, 12, 12, 4],
        )[0]
        await does()

    async def end_what_recurs(self) -> None:
        """So that a run comes to rest; also what nobody was told that it began."""
        for merchant_id, subscription_id, _ in self.readings.all_of(Subscription):
            await self._cancel_now(merchant_id, subscription_id)

    def terms(self, merchant_id: str) -> PlanTerms:
        chance = self.traffic.chance
        included = IncludedCredits(
            self.traffic.credits(20),
            every=chance.choice([None, None, Interval("day")]),
            rolls_over=chance.random() < 0.3,
        )
        metered = MeteredPrice(
            METERED, self.meters[merchant_id], PriceTerms("standard", unit_price="0.01")
        )
        trial = chance.choice([0, 0, 2])
        return PlanTerms(
            name="Plan",
            currency=USD,
            interval=chance.choice(_INTERVALS),
            fixed=tuple(
                FixedPrice(f"Seat {n}", Amount(USD, chance.randint(1, 50_00)))
                for n in range(chance.choice([0, 1, 1, 2]))
            ),
            metered=(metered,) if chance.random() < 0.7 else (),
            credits=included if chance.random() < 0.6 else None,
            entitlements=(PlanEntitlement("archive"),),
            trial_days=trial,
            trial_credits=Amount(CREDIT, 5_000_000) if trial else None,
            commitment=chance.choice([None, None, Amount(USD, 20_00)]),
            proration=chance.choice(["second", "day", "none"]),
            due_days=chance.choice([0, 1, 7]),
            unpaid_days=chance.choice([1, 3]),
            when_unpaid=chance.choice(["keep", "pause", "cancel"]),
            tax_rate=chance.choice([None, "19", "7.7"]),
            prices_include_tax=False,
        )

    async def create(self, merchant_id: str, code: str) -> None:
        plan_id = plan_id_of(merchant_id, code)
        command = CreatePlan(plan_id, code, self.terms(merchant_id), self.traffic.clock.now())
        if await self._send("create plan", merchant_id, lambda o: plan.envelope(o, command)):
            self.plans.append((merchant_id, plan_id))

    async def revise(self) -> None:
        merchant_id, plan_id = self.traffic.chance.choice(self.plans)
        now = self.traffic.clock.now()
        command: RevisePlan | ArchivePlan = RevisePlan(plan_id, self.terms(merchant_id), now)
        if self.traffic.chance.random() < 0.1:
            command = ArchivePlan(plan_id, now)
        await self._send("revise plan", merchant_id, lambda o: plan.envelope(o, command, answer_of))

    async def start(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        now = it.clock.now()
        starts = now + timedelta(hours=it.chance.choice([0, 0, 0, 0, -30, 5, 50]))
        command = Start(
            subscription_id=it.name("sub"),
            credit_account_id=account_id,
            plan_id=self._plan_of(merchant_id),
            quantity=it.chance.randint(1, 3),
            starts_at=starts,
            with_trial=it.chance.random() < 0.5,
            reference=None,
            at=now,
        )
        if await self._send(
            "subscribe", merchant_id, lambda o: subscription.start(o, command, answer_of)
        ):
            self.subscriptions.append((merchant_id, command.subscription_id))

    async def change(self) -> None:
        it = self.traffic

        async def changed(merchant_id: str, state: Subscription) -> Callable[[Origin], Envelope]:
            now = it.clock.now()
            command = Change(
                subscription_id=state.subscription_id,
                credit_account_id=state.started.credit_account_id,
                plan_id=self._plan_of(merchant_id) if it.chance.random() < 0.7 else None,
                quantity=it.chance.choice([None, 1, 2, 5]),
                now=it.chance.random() < 0.6,
                prorate=it.chance.random() < 0.7,
                usage=await self._usage(merchant_id, state, now),
                at=now,
            )
            return lambda o: subscription.change(o, command, answer_of)

        await self._on_subscription("change plan", changed)

    async def pause(self) -> None:
        it = self.traffic

        async def paused(merchant_id: str, state: Subscription) -> Callable[[Origin], Envelope]:
            now = it.clock.now()
            resumes = it.chance.choice([None, now + timedelta(hours=1), now + timedelta(days=2)])
            command = PauseSubscription(state.subscription_id, "asked", resumes, now)
            return lambda o: subscription.envelope(o, command, answer_of)

        await self._on_subscription("pause", paused)

    async def resume(self) -> None:
        async def resumed(merchant_id: str, state: Subscription) -> Callable[[Origin], Envelope]:
            command = ResumeSubscription(state.subscription_id, self.traffic.clock.now())
            return lambda o: subscription.envelope(o, command, answer_of)

        await self._on_subscription("resume", resumed)

    async def cancel(self) -> None:
        async def later(merchant_id: str, state: Subscription) -> Callable[[Origin], Envelope]:
            command = ScheduleCancel(state.subscription_id, self.traffic.clock.now())
            return lambda o: subscription.envelope(o, command, answer_of)

        if not self.subscriptions or self.traffic.chance.random() < 0.5:
            await self._on_subscription("cancel later", later)
            return
        with suppress(UsageBehind):
            await self._cancel_now(*self.traffic.chance.choice(self.subscriptions))

    async def _cancel_now(self, merchant_id: str, subscription_id: str) -> None:
        it = self.traffic
        state = self.readings.subscription(subscription_id)
        if state is None:
            return
        now = it.clock.now()
        command = CancelNow(
            subscription_id,
            state.started.credit_account_id,
            prorate=it.chance.random() < 0.5,
            usage=await self._usage(merchant_id, state, now),
            at=now,
        )
        await self._send(
            "cancel now", merchant_id, lambda o: subscription.cancel(o, command, answer_of)
        )

    async def _on_subscription(self, kind: str, make: Callable[[str, Subscription], Any]) -> None:
        if not self.subscriptions:
            return
        merchant_id, subscription_id = self.traffic.chance.choice(self.subscriptions[-30:])
        state = self.readings.subscription(subscription_id)
        if state is not None:
            with suppress(UsageBehind):  # the API says so, and to ask again
                await self._send(kind, merchant_id, await make(merchant_id, state))

    async def _usage(self, merchant_id: str, state: Subscription, now: datetime) -> Usage:
        """As the API reads it: of the state that it knows, which may be an older one."""
        if state.is_canceled or state.period is None:
            return {}
        until = min(state.paused_at or now, state.period.end)
        keys = {*usage_until(state, until), *usage_until(state, now)}
        account_id = state.started.credit_account_id
        return await self.readings.metered(merchant_id, account_id, sorted(keys, key=repr))

    def _plan_of(self, merchant_id: str) -> str:
        mine = [plan_id for owner, plan_id in self.plans if owner == merchant_id]
        return self.traffic.chance.choice(mine)

    async def _send(self, kind: str, merchant_id: str, make: Callable[[Origin], Envelope]) -> bool:
        return await self.traffic.send(kind, merchant_id, make)
