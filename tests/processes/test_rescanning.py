"""Blocks read again: what is missing is booked, and what is booked stays as it is."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.observation import Observation
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain import payment
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.rescanning import (
    NotingWriter,
    Rescan,
    RescanLimits,
    Rescanned,
    RescanRefused,
)
from tests.chains.conformance.answers import OneAtATime, WithAHole
from tests.chains.conformance.following import follower
from tests.chains.conformance.till import DUE_UNITS, Till, open_till
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


@pytest.fixture
async def paid() -> AsyncIterator[Paid]:
    world = SandboxWorld("ethereum")
    async with open_till(world) as till:
        yield Paid(world, till)


async def test_what_came_before_the_follower_began_is_booked(paid: Paid) -> None:
    first = await paid.final()
    sent = await paid.pay()
    await follower(paid.world, paid.till).catch_up()
    assert await paid.till.booked() == []
    told = await paid.rescan(first, await paid.final())
    assert await paid.till.booked() == [sent]
    assert (await paid.till.types())[-1] == "succeeded"
    assert (told.found, told.new, told.known) == (1, 1, 0)
    assert told.blocks == await paid.final() - first + 1


async def test_it_says_what_a_follower_would_have_said(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    await paid.rescan(first, await paid.final())
    rescanned = await paid.till.facts()
    async with open_till(paid.world) as other:
        await follower(paid.world, other, start_height=first).catch_up()
        assert [type(fact) for fact in await other.facts()] == [type(fact) for fact in rescanned]


async def test_a_second_rescan_records_nothing(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    await paid.rescan(first, await paid.final())
    head = await paid.till.store.head(0)
    told = await paid.rescan(first, await paid.final())
    assert await paid.till.store.head(0) == head
    assert (told.found, told.new, told.known) == (1, 0, 1)


async def test_what_the_follower_booked_is_known(paid: Paid) -> None:
    first = await paid.final()
    following = follower(paid.world, paid.till)
    await following.catch_up()
    sent = await paid.world.pay(paid.address, DUE_UNITS)
    await following.catch_up()  # sees it wait: its time is another than its block's
    await paid.world.mine()
    await paid.world.make_final()
    await following.catch_up()
    head = await paid.till.store.head(0)
    told = await paid.rescan(first, await paid.final())
    assert await paid.till.store.head(0) == head
    assert (told.found, told.new, told.known) == (1, 0, 1)
    assert await paid.till.booked() == [sent]


async def test_the_domain_knows_what_the_books_are_too_late_to_show(paid: Paid) -> None:
    """The read model is behind, or the follower tells of it at the same moment."""

    class NothingBooked(Books):
        async def verdicts(self, placed: Collection[tuple[Transfer, Block]]) -> dict[str, Any]:
            return {}

    first = await paid.final()
    following = follower(paid.world, paid.till)
    await following.catch_up()
    await paid.pay()
    await following.catch_up()
    head = await paid.till.store.head(0)
    news = NotingWriter(paid.till.writer)
    network = paid.world.chain.network
    books = NothingBooked(network, paid.till.store, paid.till.reads, (network.name,))
    scan = Rescan(paid.world.chain, paid.till.watch(news), news, books, -1, QUICKLY)
    told = await scan.run(first, await paid.final())
    assert await paid.till.store.head(0) == head
    assert (told.found, told.new, told.known) == (1, 0, 1)


async def test_it_repairs_what_was_taken_for_dropped(paid: Paid) -> None:
    """The follower's own names would be taken for repetitions of what it said before."""
    following = follower(paid.world, paid.till)
    await following.catch_up()
    first = await paid.final()
    sent = await paid.pay()
    await following.catch_up()
    confirmed = (await paid.till.facts())[-2]
    dropped = payment.DropTransfer(paid.till.payment_id, sent, confirmed.confirmed_at)
    await paid.till.send(dropped)
    assert await paid.till.booked() == []
    told = await paid.rescan(first, await paid.final())
    assert told.new == 1
    assert await paid.till.booked() == [sent]


async def test_who_did_it_is_on_record(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    await paid.rescan(first, await paid.final())
    recorded = await paid.till.store.read_stream(0, paid.till.payment_id)
    assert json.loads(recorded[-1].metadata)["actor"] == "rescan:flamewire:sandbox-ethereum"


async def test_what_is_not_final_is_refused(paid: Paid) -> None:
    final = await paid.final()
    with pytest.raises(RescanRefused, match=f"final up to {final}"):
        await paid.rescan(final, final + 1)


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 4)])
async def test_heights_that_make_no_range_are_refused(paid: Paid, first: int, last: int) -> None:
    with pytest.raises(RescanRefused, match="give the lower first"):
        await paid.rescan(first, last)


async def test_too_much_at_once_is_refused(paid: Paid) -> None:
    final = await paid.final()
    with pytest.raises(RescanRefused, match="6 blocks are too many"):
        await paid.rescan(final - 5, final, limits=replace(QUICKLY, blocks_max=5))


async def test_blocks_that_come_one_by_one_are_enough(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    told = await paid.rescan(first, await paid.final(), chain=OneAtATime(paid.world.chain))
    assert (told.new, told.blocks) == (1, await paid.final() - first + 1)


async def test_a_block_that_no_endpoint_has_is_said_and_nothing_is_skipped(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    hole = WithAHole(paid.world.chain, first + 1)
    with pytest.raises(ChainUnavailable, match=f"no endpoint has block {first + 1}"):
        await paid.rescan(first, await paid.final(), chain=hole)
    assert await paid.till.booked() == []


async def test_what_too_few_endpoints_say_is_doubted_and_not_booked(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()

    class Doubted(OneAtATime):
        async def attested(self, transfer: Transfer, block: Block) -> bool:
            return False

    told = await paid.rescan(first, await paid.final(), chain=Doubted(paid.world.chain))
    assert (told.found, told.new, told.doubted) == (1, 0, 1)
    assert await paid.till.types() == ["requested"]


async def test_a_transfer_that_is_refused_is_counted_and_the_others_are_booked(paid: Paid) -> None:
    first = await paid.final()
    refused, taken = await paid.pay(), await paid.pay(7)

    class Picky:
        """Refuses one transfer, as a payment with a fault of ours would."""

        async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
            return await paid.till.known(transfers)

        async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
            others = [each for each in observations if each.transfer != refused]
            await paid.till.observed(others)
            return {refused.key} if len(others) < len(observations) else set()

    told = await paid.rescan(first, await paid.final(), listener=Picky())
    assert (told.found, told.refused) == (2, 1)
    assert await paid.till.booked() == [taken]


async def test_a_read_model_that_is_behind_is_waited_for(paid: Paid) -> None:
    first = await paid.final()
    await paid.pay()
    paid.till.reads.lags = True

    async def catch_up() -> None:
        await asyncio.sleep(0.003)
        paid.till.reads.lags = False

    told, _ = await asyncio.gather(paid.rescan(first, await paid.final()), catch_up())
    assert told.new == 1


async def test_what_came_to_a_merchants_own_address_before_it_was_asked_for_is_left_alone(
    paid: Paid,
) -> None:
    first = await paid.final()
    sent = await paid.pay()
    network = replace(paid.world.chain.network, livemode=True)
    books = Books(network, paid.till.store, paid.till.reads, (network.name,))
    await paid.till.known([sent])
    (asked,) = await paid.till.reads.deposits_at(network.name, [paid.address])
    just, long = (asked["requested_at"] - timedelta(seconds=s) for s in (30, 90))
    assert await books.verdicts([(sent, Block(first, "0x", long))]) == {sent.key: "earlier"}
    assert await books.verdicts([(sent, Block(first, "0x", just))]) == {}
    test_books = Books(paid.world.chain.network, paid.till.store, paid.till.reads, (network.name,))
    assert await test_books.verdicts([(sent, Block(first, "0x", long))]) == {}


# Follow and rescan in any order, and the books are the same.

Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(1, DUE_UNITS * 2)),
        st.tuples(st.sampled_from(("pay for now", "pay and come back")), st.integers(1, DUE_UNITS)),
        st.tuples(st.just("mine"), st.integers(1, 6)),
        st.tuples(st.just("follow"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.sampled_from(("rescan", "rescan and follow")), st.integers(0, 12)),
    ),
    max_size=25,
)


async def _play(steps: Sequence[Step], *, starts_late: bool) -> None:
    world = SandboxWorld("ethereum")
    first = (await world.chain.heads()).finalized_height
    async with open_till(world) as till, open_till(world) as other:
        paid, state = Paid(world, till), MemoryFollowerState()
        following = follower(world, till, state)
        if not starts_late:
            await following.catch_up()
        for what, number in steps:
            match what:
                case "pay":
                    await world.pay(paid.address, number)
                case "pay for now":
                    await world.pay_for_now(paid.address, number)
                case "pay and come back":
                    await world.play(paid.address, number, "reorg_and_back")
                case "mine":
                    await world.mine(number)
                case "follow":
                    await following.step()
                case "restart":
                    following = follower(world, till, state)
                case "rescan":
                    final = await paid.final()
                    await paid.rescan(max(first, final - number), final)
                case _:
                    final = await paid.final()
                    rescan = paid.rescan(max(first, final - number), final)
                    await asyncio.gather(rescan, following.step())
        await world.mine(10)
        await following.catch_up()
        await world.mine()
        await following.catch_up()
        await paid.rescan(first, await paid.final())
        before = await till.store.head(0)
        await paid.rescan(first, await paid.final())
        assert await till.store.head(0) == before

        await follower(world, other, start_height=first).catch_up()
        assert await paid.books() == await Paid(world, other).books()


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, starts_late=st.booleans())
def test_follow_and_rescan_in_any_order_leave_the_same_books(
    steps: list[Step], starts_late: bool
) -> None:
    asyncio.run(_play(steps, starts_late=starts_late))
