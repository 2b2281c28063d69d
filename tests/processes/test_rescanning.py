"""Blocks read again: what is missing is booked, and what is booked stays as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, Heads
from flamewire_ledger.chains.observation import Observation
from flamewire_ledger.domain import payment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.rescanning import (
    NotingWriter,
    Rescan,
    RescanRefused,
)
from tests.chains.conformance.answers import OneAtATime, WithAHole
from tests.chains.conformance.following import follower
from tests.chains.conformance.till import DUE_UNITS, open_till
from tests.chains.sandbox_world import SandboxWorld
from tests.processes.rescans import QUICKLY, Paid


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
    assert json.loads(recorded[-1].metadata)["actor"] == "rescan:sandbox:ethereum"


async def test_what_is_not_final_is_refused(paid: Paid) -> None:
    final = await paid.final()
    with pytest.raises(RescanRefused, match=f"final up to {final}"):
        await paid.rescan(final, final + 1)


async def test_what_no_endpoint_keeps_any_more_is_refused(paid: Paid) -> None:
    final = await paid.final()

    class Pruned(OneAtATime):
        async def heads(self) -> Heads:
            return replace(await self._chain.heads(), earliest_height=final - 5)

    with pytest.raises(RescanRefused, match=f"know nothing below block {final - 5}"):
        await paid.rescan(final - 6, final, chain=Pruned(paid.world.chain))


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


async def test_a_token_that_was_listed_since_stays_booked_as_what_it_was(paid: Paid) -> None:
    """A person may have decided about it meanwhile: that is not undone."""

    class ListedSince(OneAtATime):
        async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
            usdc = Amount(Asset("ethereum:USDC", 6), 1000)
            return [
                replace(each, transfers=tuple(replace(it, amount=usdc) for it in each.transfers))
                for each in await super().blocks(first, last)
            ]

    first = await paid.final()
    following = follower(paid.world, paid.till)
    await following.catch_up()
    sent = await paid.world.pay_unlisted(paid.address, 1000)
    await paid.world.mine()
    await paid.world.make_final()
    await following.catch_up()
    assert await paid.till.booked() == [sent]
    head = await paid.till.store.head(0)
    told = await paid.rescan(first, await paid.final(), chain=ListedSince(paid.world.chain))
    assert (told.found, told.new, told.known) == (1, 0, 1)
    assert await paid.till.store.head(0) == head


async def test_an_amount_that_is_another_payments_since_is_still_the_firsts(paid: Paid) -> None:
    """Booked on the older payment by when it was first seen; by its block it would be the newer's."""
    sent = await paid.pay()
    transfer = {
        "network": sent.network, "transaction_id": sent.transaction_id, "index": sent.index,
        "status": "confirmed",
    }  # fmt: skip

    class Reads:
        async def wait_for(self, *_: object) -> bool:
            return True

        async def deposits_at(self, *_: object, limit: int) -> Sequence[Any]:
            return await self.ask("deposit_addresses", "deposits_due", {})

        async def ask(self, _: str, question: str, __: object) -> Sequence[Any]:
            due = {"identified_by": "amount", "derivation": "//shared", "merchant_id": "mer"}
            found = [{**due, "payment_id": name} for name in ("newer", "older")]
            return found if question == "deposits_due" else ()

        async def payment(self, _: str, payment_id: str) -> dict[str, Any]:
            return {"transfers": [transfer] if payment_id == "older" else []}

    network = paid.world.chain.network
    books = Books(network, paid.till.store, Reads(), (network.name,))  # type: ignore[arg-type]
    block = Block(1, "0x1", paid.till.now)
    assert await books.verdicts([(sent, block)]) == {sent.key: "booked"}
    assert await books.verdicts([(replace(sent, index=7), block)]) == {}
