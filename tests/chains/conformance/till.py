"""A ledger in memory that waits for one payment on the chain of a world, as the suite's listener.

What it books is the last word on conformance: a follower may repeat itself, the books may not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from flamewire_ledger.chains.observation import Observation
from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.merchant import envelope as merchant_envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    Payment,
    PaymentCommand,
    PaymentOption,
    PaymentTransferConfirmed,
    PaymentTransferReorganised,
    RequestPayment,
    evolve,
)
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.processes.watching import Watching
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.chains.world import World
from tests.processes.office import ReadModels

DUE_UNITS = 10_000
_CODEC = Codec()
_USD = Asset("USD", 2)


class BooksToo(ReadModels):
    """Tells of a payment's transfers as well."""

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 10_000
    ) -> Sequence[dict[str, Any]]:
        rows = await super().deposits_at(network, addresses, limit=limit)
        return [{"derivation": None, **row} for row in rows]

    async def payment(self, merchant_id: str, payment_id: str) -> dict[str, Any] | None:
        row = await super().payment(merchant_id, payment_id)
        state: Payment | None = None
        for event in (each for events in self._seen.values() for each in events):
            if event.stream_id == payment_id:
                state = evolve(state, _CODEC.decode(event))
        if row is None or state is None:
            return row
        transfers = [
            {
                "network": each.transfer.network,
                "transaction_id": each.transfer.transaction_id,
                "index": each.transfer.index,
                "status": each.status,
            }
            for each in state.arrivals.values()
        ]
        return {**row, "transfers": transfers}


class Till:
    """Waits for DUE_UNITS of the chain's coin at the first deposit address. `open` makes one."""

    def __init__(self, world: World, now: datetime) -> None:
        self._world = world
        self.now = now
        self.store = MemoryEventStore(lambda: now)
        self.writer = Writer(self.store, _CODEC)
        self.reads = BooksToo(self.store)
        self.watching = self.watch(self.writer)
        self.payment_id = derived_id("pi", now, "till")
        self._merchant_id = derived_id("mer", now, "till")

    def watch(self, writer: Any, **changes: Any) -> Watching:
        board = PriceBoard(sandbox_feeds(lambda: self.now))
        return Watching(
            self._world.chain.network, self.store, self.reads, writer, board, lambda: self.now,
            **changes,
        )  # fmt: skip

    async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
        return await self.watching.known(transfers)

    async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
        return await self.watching.observed(observations)

    async def facts(self) -> list[Any]:
        return [_CODEC.decode(each) for each in await self.store.read_stream(0, self.payment_id)]

    async def types(self) -> list[str]:
        """What was recorded of the payment, without `payment.` and the version."""
        return [fact.type.split(".")[1] for fact in await self.facts()]

    async def booked(self) -> list[Transfer]:
        """What is on the books now, as often as it was booked and not taken back."""
        booked: list[Transfer] = []
        for fact in await self.facts():
            if isinstance(fact, PaymentTransferConfirmed):
                booked.append(fact.transfer)
            elif isinstance(fact, PaymentTransferReorganised):
                booked.remove(fact.transfer)
        return booked

    async def send(self, command: PaymentCommand) -> None:
        """A command that nobody on the chain gave."""
        origin = Origin(command_id("send", str(command)), self._merchant_id, "test")
        assert isinstance(await self.writer.submit(payments.envelope(origin, command)), Done)

    async def ask(self) -> None:
        network = self._world.chain.network
        merchant_id = self._merchant_id
        register = RegisterMerchant(merchant_id, "till", network.livemode, self.now)
        origin = Origin(command_id("register"), merchant_id, "test")
        await self.writer.submit(merchant_envelope(origin, register))
        coin = network.token(self._world.coin)
        assert coin is not None
        option = PaymentOption(
            network=network.name,
            chain_id=network.chain_id,
            asset_id=coin.asset_id,
            due=Amount(coin.asset, DUE_UNITS),
            address=self._world.chain.deposit(1).address,
            uri="",
            price_lock_id=None,
        )
        command = RequestPayment(
            payment_id=self.payment_id,
            amount=Amount(_USD, 2500),
            options=(option,),
            credits=None,
            credit_account_id=None,
            reference=None,
            requested_at=self.now,
            expires_at=self.now + timedelta(days=1),
        )
        origin = Origin(command_id("ask"), merchant_id, "test")
        await self.writer.submit(payments.envelope(origin, command))


@asynccontextmanager
async def open_till(world: World) -> AsyncIterator[Till]:
    """A till that waits, with a writer that runs."""
    till = Till(world, (await world.chain.heads()).latest.at)
    running = asyncio.create_task(till.writer.run())
    try:
        await till.ask()
        yield till
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
