"""Payers: who pays as asked, and all the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.domain.payment import PaymentOption, PaymentRequested, RequestPayment
from tests.simulation.chains import ROLLUP
from tests.simulation.clock import Clock
from tests.simulation.known import Known
from tests.simulation.traffic import Traffic

_BEHAVIOURS = {
    "normal": 60, "reorg": 10, "reorg_before_final": 6, "reorg_and_back": 6, "drop": 5,
    "failed": 4, "wrong_asset": 5, "wrong_network": 4,
}  # fmt: skip


@dataclass
class Payers:
    """Pay what was asked for lately, one way or another."""

    traffic: Traffic
    known: Known
    clock: Clock
    chance: Random
    chains: dict[str, SandboxChain]
    counts: Counter[str] = field(default_factory=Counter)

    async def somebody_pays(self) -> None:
        """One payer's doings: one transfer, or two."""
        asked = [
            *self.traffic.payments[-12:],
            *self.known.requested_by_processes[-3:],
        ]
        if not asked:
            return
        _, requested = self.chance.choice(asked)
        option = self.chance.choice(requested.options)
        units = self._units(option)
        behaviour = self.chance.choices(list(_BEHAVIOURS), list(_BEHAVIOURS.values()))[0]
        if self.chance.random() < 0.08:
            self._come_late(requested)
        await self._pay(option, units, behaviour)
        if self.chance.random() < 0.12:
            self.counts["double"] += 1
            await self._pay(self.chance.choice(requested.options), units, "normal")

    def _units(self, option: PaymentOption) -> int:
        due = option.due.units
        how = self.chance.choices(["exact", "under", "a little under", "over"], [65, 15, 5, 15])[0]
        match how:
            case "under":
                units = due * self.chance.randint(5, 95) // 100
            case "a little under":
                units = due * 985 // 1000
            case "over":
                units = due * self.chance.randint(101, 250) // 100
            case _:
                units = due
        if how != "exact":
            self.counts[how] += 1
        return max(1, units)

    def _come_late(self, requested: RequestPayment | PaymentRequested) -> None:
        seconds = (requested.expires_at - self.clock.now()).total_seconds()
        if seconds > 0:
            self.clock.advance(seconds + self.chance.choice([-1, 1, 200]))
        self.counts["late"] += 1

    async def _pay(self, option: PaymentOption, units: int, behaviour: Any) -> None:
        name = option.network
        if behaviour == "wrong_network":
            behaviour = "normal"
            if name == "ethereum":
                name = ROLLUP
                self.counts["wrong_network"] += 1
        chain = self.chains[name]
        token = chain.network.token(option.due.asset.symbol)
        assert token is not None
        self.counts[behaviour] += 1
        await chain.pay(option.address, token, units, behaviour, self._mark(option))

    def _mark(self, option: PaymentOption) -> str | None:
        how = self.chance.choices(["as told", "no mark", "a wrong mark"], [85, 10, 5])[0]
        if option.mark is None or how == "as told":
            return option.mark
        self.counts[how] += 1
        return None if how == "no mark" else "0xfeed"
