"""Rescans where many payments have one address: by mark or by amount, and what is nobody's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.rescanning import NotingWriter, Rescan, Rescanned
from tests.chains.conformance.till import BooksToo
from tests.processes.office import DUE, Office
from tests.processes.rescans import QUICKLY


@pytest.fixture(params=["mark", "amount"])
async def office(request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    identifies_by: IdentifiesBy = request.param
    made = Office(identifies_by=identifies_by)
    made.reads = BooksToo(made.store)
    made.watching = made.watch(made.writer)
    running = asyncio.create_task(made.writer.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def rescan(office: Office, first: int, *, epoch: int) -> Rescanned:
    chain, news = office.world.chain, NotingWriter(office.writer)
    books = Books(chain.network, office.store, office.reads, (chain.network.name,))
    listener = office.watch(news, told_by="rescan")
    last = (await chain.heads()).finalized_height
    return await Rescan(chain, listener, news, books, epoch, QUICKLY).run(first, last)


async def follow(office: Office, first: int) -> None:
    limits = Limits(late_seconds_max=0)
    await Follower(
        office.world.chain, office.watching, office.state, start_height=first, limits=limits
    ).catch_up()


@pytest.mark.parametrize("follows_first", [False, True])
async def test_each_is_booked_once_whoever_sees_it_first(
    office: Office, follows_first: bool
) -> None:
    merchant = await office.register("shop")
    first = (await office.world.chain.heads()).finalized_height
    payments = [await office.ask(number, merchant) for number in (1, 2)]
    for number in (1, 2):
        await office.pay(number)
    await office.pay(1, DUE // 3, mark=None)  # nobody's
    await office.world.mine()
    await office.world.make_final()

    if follows_first:
        await follow(office, first)
    told = await rescan(office, first, epoch=-1)
    assert (told.found, told.refused, told.doubted) == (3, 0, 0)
    assert (told.new, told.known) == ((0, 3) if follows_first else (3, 0))
    for payment in payments:
        assert (await office.types(payment))[-1] == "succeeded"

    head = await office.store.head(0)
    told = await rescan(office, first, epoch=-2)
    assert (told.new, told.known) == (0, 3)
    if not follows_first:
        await follow(office, first)
    assert await office.store.head(0) == head
