"""A till that was paid, and rescans of its chain."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flamewire_ledger.domain import payment
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.rescanning import NotingWriter, Rescan, RescanLimits, Rescanned
from tests.chains.conformance.till import DUE_UNITS, Till
from tests.chains.sandbox_world import SandboxWorld

QUICKLY = RescanLimits(batch_blocks_max=3, wait_seconds=0.001)


class Paid:
    """A till with a world, and rescans of its chain."""

    def __init__(self, world: SandboxWorld, till: Till) -> None:
        self.world = world
        self.till = till
        self.rescans = 0

    @property
    def address(self) -> str:
        return self.world.chain.deposit(1).address

    async def pay(self, units: int = DUE_UNITS) -> Transfer:
        """Something that is final."""
        sent = await self.world.pay(self.address, units)
        await self.world.mine()
        await self.world.make_final()
        return sent

    async def final(self) -> int:
        return (await self.world.chain.heads()).finalized_height

    async def rescan(self, first: int, last: int, **changes: Any) -> Rescanned:
        given: dict[str, Any] = {"chain": self.world.chain, "limits": QUICKLY, **changes}
        self.rescans += 1
        news = NotingWriter(self.till.writer)
        network = given["chain"].network
        return await Rescan(
            listener=given.pop("listener", None) or self.till.watch(news, told_by="rescan"),
            news=news,
            books=Books(network, self.till.store, self.till.reads, (network.name,)),
            epoch=-self.rescans,
            **given,
        ).run(first, last)

    async def books(self) -> Any:
        """What it all comes to: the status, the totals, and every account."""
        state: payment.Payment | None = None
        accounts: Counter[tuple[str, str]] = Counter()
        for fact in await self.till.facts():
            state = payment.evolve(state, fact)
            for posting in getattr(fact, "postings", ()):
                accounts[posting.debit, posting.amount.asset.code] += posting.amount.units
                accounts[posting.credit, posting.amount.asset.code] -= posting.amount.units
        assert state is not None
        arrivals = {key: each.status for key, each in state.arrivals.items() if each.is_live}
        return state.status, state.totals, arrivals, {k: v for k, v in accounts.items() if v}
