"""One payment on three sandbox networks at once, in whatever order its payers, blocks, reorganisations and watchers
come: used once, and every unit on the books.

The oracle reads the chains and the postings, and knows nothing of how a payment decides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.networks import KINDS, Kind
from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.merchant import envelope as merchant_envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    ExpirePayment,
    Payment,
    PaymentOption,
    PaymentTransferConfirmed,
    PaymentTransferReorganised,
    RequestPayment,
    evolve,
)
from flamewire_ledger.domain.posting import REFUNDS_PAYABLE, SALES, SUSPENSE, UNAPPLIED, wallet
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.processes.watching import Watching
from flamewire_ledger.store.memory import MemoryEventStore
from tests.chains.sandbox_world import COINS, SandboxWorld
from tests.domain.books import Books
from tests.processes.office import CODEC, ReadModels

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USD = Asset("USD", 2)
REQUEST = 2500
# What pays in full; numbers that do not divide each other, so that rounding has something to do.
DUE: dict[Kind, int] = {"bittensor": 60_606_061, "ethereum": 7_812_500_000_000_001, "sui": 7_000}
PAYMENT = derived_id("pi", NOON, "payment")
MERCHANT = derived_id("mer", NOON, "shop")
EXPIRES = timedelta(minutes=15)
KEPT = (UNAPPLIED, SUSPENSE, SALES, REFUNDS_PAYABLE)

networks = st.sampled_from(KINDS)
paying = st.tuples(
    st.just("pay"),
    networks,
    st.sampled_from([10, 40, 50, 60, 100, 100, 100, 150]),  # percent
    st.sampled_from(["normal", "normal", "reorg", "reorg_before_final", "reorg_and_back", "drop"]),
)
steps = st.lists(
    st.one_of(
        paying,
        st.tuples(st.just("mine"), networks, st.integers(1, 9)),
        st.tuples(st.just("look"), networks),
        st.tuples(st.just("die and look again"), networks, st.integers(1, 3)),
        st.just(("time is up",)),
    ),
    max_size=14,
)
BOTH = [("pay", "bittensor", 100, "normal"), ("pay", "ethereum", 100, "normal")]
WINNER_GONE = [
    ("pay", "bittensor", 100, "reorg"), ("mine", "bittensor", 5), ("look", "bittensor"),
    ("pay", "sui", 100, "normal"), ("mine", "sui", 5), ("look", "sui"),
    ("mine", "bittensor", 9), ("look", "bittensor"),
]  # fmt: skip
# Told that it waits, and gone from the chain when the follower is back.
GONE_MEANWHILE = [
    ("pay", "bittensor", 10, "reorg_before_final"), ("die and look again", "bittensor", 1),
    ("time is up",), ("mine", "bittensor", 3), ("die and look again", "bittensor", 1),
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
@example(BOTH)
@example(BOTH[::-1])
@example([("pay", "ethereum", 100, "reorg")])
@example(WINNER_GONE)
@example([*WINNER_GONE, ("time is up",)])
@example([("pay", "bittensor", 50, "normal"), ("pay", "ethereum", 50, "normal")])
@example(GONE_MEANWHILE)
@example([("pay", "bittensor", 10, "normal"), *GONE_MEANWHILE])
@pytest.mark.timeout(300)  # a hundred stories on two shared cores
def test_a_payment_on_three_networks_is_used_once_and_all_of_it_is_on_the_books(
    given_steps: list[Any],
) -> None:
    asyncio.run(_play(given_steps))


async def _play(given_steps: list[Any]) -> None:
    office = await ThreeNetworks.open()
    try:
        for step in given_steps:
            await office.do(step)
            await office.check()
        await office.come_to_an_end()
        await office.check()
        await office.check_the_end()
    finally:
        await office.aclose()


class Died(Exception):
    """The follower's process is gone, at the moment it would have saved how far it is."""


class MortalState(MemoryFollowerState):
    """What is written down before it is told stays; the cursor that comes after may not."""

    saves_left: int | None = None

    async def save(self, *given: Any) -> None:
        if self.saves_left is not None:
            self.saves_left -= 1
            if self.saves_left <= 0:
                raise Died
        await super().save(*given)


@dataclass
class ThreeNetworks:
    """A ledger in memory, three chains each with its own pace, and a watcher for each."""

    worlds: dict[Kind, SandboxWorld] = field(
        default_factory=lambda: {kind: SandboxWorld(kind) for kind in KINDS}
    )
    states: dict[Kind, MortalState] = field(
        default_factory=lambda: {kind: MortalState() for kind in KINDS}
    )
    late: set[str] = field(default_factory=set)  # keys of what was paid when time was up
    is_over: bool = False

    @classmethod
    async def open(cls) -> ThreeNetworks:
        office = cls()
        office.store = MemoryEventStore(lambda: NOON)
        office.writer = Writer(office.store, CODEC)
        office.running = asyncio.create_task(office.writer.run())
        reads = ReadModels(office.store)
        office.watching = {
            kind: Watching(
                world.chain.network, office.store, reads, office.writer,
                PriceBoard(sandbox_feeds(lambda: office.now)), lambda: office.now,
            )
            for kind, world in office.worlds.items()
        }  # fmt: skip
        await office.ask()
        for kind in KINDS:
            await office.look(kind)
        return office

    async def aclose(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running

    @property
    def now(self) -> datetime:
        return max(world.real_now + world.ahead for world in self.worlds.values())

    async def ask(self) -> None:
        origin = Origin(command_id("register"), MERCHANT, "test")
        register = RegisterMerchant(MERCHANT, "shop", False, NOON)
        await self.writer.submit(merchant_envelope(origin, register))
        command = RequestPayment(
            payment_id=PAYMENT,
            amount=Amount(USD, REQUEST),
            options=tuple(self._option(kind) for kind in KINDS),
            credits=None,
            credit_account_id=None,
            reference=None,
            requested_at=NOON,
            expires_at=NOON + EXPIRES,
        )
        origin = Origin(command_id("ask"), MERCHANT, "test")
        await self.writer.submit(payments.envelope(origin, command))

    def _option(self, kind: Kind) -> PaymentOption:
        chain = self.worlds[kind].chain
        token = chain.network.token(COINS[kind])
        assert token is not None
        return PaymentOption(
            network=kind,
            chain_id=chain.network.chain_id,
            asset_id=token.asset_id,
            due=Amount(token.asset, DUE[kind]),
            address=chain.deposit(1).address,
            uri="",
            price_lock_id=None,
        )

    # What may happen.

    async def do(self, step: Any) -> None:
        match step:
            case ("pay", kind, percent, behaviour):
                address = self.worlds[kind].chain.deposit(1).address
                units = -(-DUE[kind] * percent // 100)
                sent = await self.worlds[kind].play(address, units, behaviour)
                if self.is_over:
                    self.late.add(sent.key)
            case ("mine", kind, blocks):
                await self.worlds[kind].mine(blocks)
            case ("look", kind):
                await self.look(kind)
            case ("die and look again", kind, saves):
                self.states[kind].saves_left = saves
                with suppress(Died):
                    await self.look(kind)
                self.states[kind].saves_left = None
                await self.look(kind)
            case ("time is up",):
                await self.pass_expiry()

    async def look(self, kind: Kind) -> None:
        follower = Follower(self.worlds[kind].chain, self.watching[kind], self.states[kind])
        await follower.catch_up()

    async def pass_expiry(self) -> None:
        """Whatever was paid before has been seen by then: what nobody saw cannot be in time."""
        for kind in KINDS:
            await self.look(kind)
            self.worlds[kind].ahead += timedelta(minutes=16)
        self.is_over = True
        await self.expire()

    async def expire(self) -> None:
        origin = Origin(command_id("expire", self.now.isoformat()), MERCHANT, "test")
        await self.writer.submit(payments.envelope(origin, ExpirePayment(PAYMENT, self.now)))

    async def come_to_an_end(self) -> None:
        """The chains say their last word, and then time is up for good."""
        if not self.is_over:
            await self.pass_expiry()
        for kind in KINDS:
            for _ in range(4):  # what is nowhere is waited for, for some blocks
                await self.worlds[kind].mine(15)
                await self.look(kind)
        for kind in KINDS:  # what was taken back has come back by then, or does not
            self.worlds[kind].ahead += timedelta(hours=2)
        await self.expire()

    # What must be so.

    async def facts(self) -> list[Any]:
        return [CODEC.decode(each) for each in await self.store.read_stream(0, PAYMENT)]

    async def check(self) -> None:
        state: Payment | None = None
        books, confirmed, was_paid_twice = Books(), {}, False
        for fact in await self.facts():
            state = evolve(state, fact)
            books.take(fact)
            match fact:
                case PaymentTransferConfirmed(transfer=transfer):
                    assert transfer.key not in confirmed, "booked twice"
                    confirmed[transfer.key] = transfer.amount
                case PaymentTransferReorganised(transfer=transfer):
                    del confirmed[transfer.key]
            worth = sum(map(_worth, confirmed.values()), Fraction(0))
            was_paid_twice |= len(confirmed) > 1 and worth >= 2 * REQUEST and state.is_settled
            self._check_books(state, books, Counter(confirmed.values()))
        assert state is not None
        assert ("multiple" in state.labels) == was_paid_twice

    def _check_books(self, state: Payment, books: Books, confirmed: Counter[Amount]) -> None:
        assert not any(books.sums().values())
        used = Fraction(0)
        for kind in KINDS:
            asset = Asset(f"{kind}:{COINS[kind]}", self._option(kind).due.asset.decimals)
            came = sum(it.units * n for it, n in confirmed.items() if it.asset == asset)
            assert books.debit(wallet(kind), asset.code) == came
            parts = [books.credit(account, asset.code) for account in KEPT]
            assert min(parts) >= 0
            assert sum(parts) == came
            used += _worth(Amount(asset, books.credit(SALES, asset.code)))
        # Used once: what was asked for, and at most the unit that rounding takes of one asset.
        is_sold = used >= REQUEST
        assert is_sold == state.is_settled
        assert used == 0 or REQUEST <= used < REQUEST + Fraction(REQUEST, min(DUE.values()))

    async def check_the_end(self) -> None:
        state: Payment | None = None
        for fact in await self.facts():
            state = evolve(state, fact)
        assert state is not None
        on_chain = {it.key: it.amount for kind in KINDS for it in await self._on_chain(kind)}
        final = {key for key, it in state.arrivals.items() if it.status == "confirmed"}
        assert final == on_chain.keys()
        in_time = [amount for key, amount in on_chain.items() if key not in self.late]
        is_paid = sum(map(_worth, in_time), Fraction(0)) >= REQUEST
        assert state.is_settled == is_paid
        if is_paid:
            assert state.status == "succeeded"
        elif on_chain:
            assert state.status == "requires_action"
        else:
            assert state.status in ("expired", "requires_action")

    async def _on_chain(self, kind: Kind) -> list[Any]:
        chain = self.worlds[kind].chain
        head = (await chain.heads()).latest.height
        return [it for block in await chain.blocks(head - 400, head) for it in block.transfers]


def _worth(amount: Amount) -> Fraction:
    kind = amount.asset.network
    return Fraction(REQUEST * amount.units, DUE[kind])  # type: ignore[index]
