"""Payments that share an address are told apart by their mark or by their amount; what is nobody's
is held, and a person says whose it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import structlog

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.domain.posting import SALES, SUSPENSE, UNAPPLIED, wallet
from tests.processes.office import DUE, TAO
from tests.processes.shared_office import OWNER, SharedOffice


async def _open(office: SharedOffice) -> AsyncIterator[SharedOffice]:
    running = asyncio.create_task(office.writer.run())
    await office.catch_up()
    yield office
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def marks() -> AsyncIterator[SharedOffice]:
    async for made in _open(SharedOffice("mark")):
        yield made


@pytest.fixture
async def amounts() -> AsyncIterator[SharedOffice]:
    async for made in _open(SharedOffice("amount")):
        yield made


@pytest.fixture
async def marks_of_four() -> AsyncIterator[SharedOffice]:
    async for made in _open(SharedOffice("mark", partitions=4)):
        yield made


async def test_a_mark_finds_its_payment_among_those_of_the_address(marks: SharedOffice) -> None:
    merchant = await marks.register("shop")
    first, second = await marks.ask(1, merchant), await marks.ask(2, merchant)
    await marks.pay(2)
    await marks.final()
    assert await marks.types(first) == ["requested"]
    assert (await marks.types(second))[-1] == "succeeded"


@pytest.mark.parametrize(("units", "last"), [(DUE - 1, "confirmed"), (DUE + 1, "excess_recorded")])
async def test_the_right_mark_with_another_amount_is_a_part_or_too_much(
    marks: SharedOffice, units: int, last: str
) -> None:
    merchant = await marks.register("shop")
    payment = await marks.ask(1, merchant)
    await marks.pay(1, units)
    await marks.final()
    assert (await marks.types(payment))[-1].endswith(last)


async def test_the_right_mark_with_another_asset_is_in_suspense_at_its_payment(
    marks: SharedOffice,
) -> None:
    payment = await marks.ask(1, await marks.register("shop"))
    await marks.pay(1, behaviour="wrong_asset")
    await marks.final()
    facts = await marks.facts(payment)
    assert any("wrong_asset" in getattr(fact, "labels", ()) for fact in facts)


@pytest.mark.parametrize("mark", [None, "0xfeed"])
async def test_a_missing_or_unknown_mark_is_held_on_the_books_of_the_operator(
    marks: SharedOffice, mark: str | None
) -> None:
    merchant = await marks.register("shop")
    payment = await marks.ask(1, merchant)
    sent = await marks.pay(1, mark=mark)
    await marks.final()
    assert await marks.types(payment) == ["requested"]
    assert await marks.held(sent) == ["received", "confirmed"]
    books = await marks.books(OWNER)
    assert books.debit(wallet("bittensor"), TAO.code) == DUE
    assert books.credit(SUSPENSE, TAO.code) == DUE
    assert not (await marks.books(merchant)).balances


async def test_money_that_comes_before_any_payment_was_asked_for_is_held(
    marks: SharedOffice,
) -> None:
    sent = await marks.pay(1)
    await marks.final()
    assert await marks.held(sent) == ["received", "confirmed"]


async def test_the_exact_amount_finds_its_payment(amounts: SharedOffice) -> None:
    merchant = await amounts.register("shop")
    first, second = await amounts.ask(1, merchant), await amounts.ask(2, merchant)
    await amounts.pay(2)
    await amounts.final()
    assert await amounts.types(first) == ["requested"]
    assert (await amounts.types(second))[-1] == "succeeded"


async def test_an_amount_that_is_a_unit_off_is_nobodys(amounts: SharedOffice) -> None:
    payment = await amounts.ask(1, await amounts.register("shop"))
    due = DUE + amounts.world.chain.deposit(1).adds_units
    sent = await amounts.pay(1, due - 1)
    await amounts.final()
    assert await amounts.types(payment) == ["requested"]
    assert await amounts.held(sent) == ["received", "confirmed"]


async def test_the_amount_of_another_asset_is_nobodys(amounts: SharedOffice) -> None:
    payment = await amounts.ask(1, await amounts.register("shop"))
    sent = await amounts.pay(1, behaviour="wrong_asset")
    await amounts.final()
    assert await amounts.types(payment) == ["requested"]
    assert await amounts.held(sent) == ["received", "confirmed"]


@pytest.mark.parametrize("identifies_by", ["mark", "amount"])
async def test_a_late_transfer_finds_its_payment(identifies_by: IdentifiesBy) -> None:
    async for office in _open(SharedOffice(identifies_by)):
        payment = await office.ask(1, await office.register("shop"))
        office.world.ahead += timedelta(days=20)
        await office.pay(1)
        await office.final()
        facts = await office.facts(payment)
        assert any("late" in getattr(fact, "labels", ()) for fact in facts)


async def test_an_amount_that_two_payments_had_is_that_of_the_one_asked_for_last_before(
    amounts: SharedOffice,
) -> None:
    merchant = await amounts.register("shop")
    first = await amounts.ask(1, merchant)
    await amounts.pay(1)
    amounts.world.ahead += timedelta(days=90)
    again = 1 + 9_999  # adds the same units
    second = await amounts.ask(again, merchant)
    await amounts.final()
    assert (await amounts.types(first))[-1] == "succeeded"
    await amounts.pay(again)
    await amounts.final()
    assert (await amounts.types(second))[-1] == "succeeded"


async def test_how_a_payment_is_identified_is_what_its_option_says(marks: SharedOffice) -> None:
    """Though the network has come to identify by address since."""
    payment = await marks.ask(1, await marks.register("shop"))
    marks.watching = marks.watch(marks.writer, shared_address=None)
    await marks.pay(1)
    stray = await marks.pay(1, mark="0xfeed")
    await marks.final()
    assert (await marks.types(payment))[-1] == "succeeded"
    assert await marks.held(stray) == ["received", "confirmed"]


async def test_nothing_is_held_of_what_moves_nothing(marks: SharedOffice) -> None:
    sent = await marks.pay(1, 0, mark=None)
    await marks.final()
    assert await marks.held(sent) == []


async def test_a_transfer_that_is_dropped_is_held_no_more(marks: SharedOffice) -> None:
    sent = await marks.pay(1, mark=None, behaviour="drop")
    await marks.catch_up()
    assert await marks.held(sent) == ["received"]
    for _ in range(6):
        await marks.world.mine()
        await marks.catch_up()
    assert await marks.held(sent) == ["received", "dropped"]


async def test_what_was_assigned_is_the_payments_and_leaves_the_operators_books(
    marks_of_four: SharedOffice,
) -> None:
    office = marks_of_four
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    sent = await office.pay(1, mark=None)
    await office.final()
    await office.assign(sent, payment, merchant)
    assert (await office.types(payment))[-1] == "succeeded"
    assert not any((await office.books(OWNER)).balances.values())
    books = await office.books(merchant)
    assert books.debit(wallet("bittensor"), TAO.code) == DUE
    assert books.credit(SALES, TAO.code) == DUE
    assert books.credit(UNAPPLIED, TAO.code) == 0


async def test_what_was_assigned_and_is_taken_back_is_taken_back_from_the_payment(
    marks: SharedOffice,
) -> None:
    merchant = await marks.register("shop")
    payment = await marks.ask(1, merchant)
    sent = await marks.pay(1, mark=None, behaviour="reorg")
    await marks.world.mine(4)
    await marks.catch_up()
    await marks.assign(sent, payment, merchant)
    assert (await marks.types(payment))[-1] == "succeeded"
    await marks.world.mine(20)
    await marks.catch_up()
    await marks.react()
    assert await marks.held(sent) == ["received", "confirmed", "assigned", "reorganised"]
    assert "transfer_reorganised" in await marks.types(payment)
    assert not any((await marks.books()).balances.values())


async def test_what_is_held_stays_held_when_a_payment_with_its_mark_appears(
    marks: SharedOffice,
) -> None:
    """As when the event that asked for it had been parked: it is on the books once."""
    merchant = await marks.register("shop")
    payment = await marks.ask(1, merchant)
    marks.reads.is_parked = True
    sent = await marks.pay(1, behaviour="reorg")
    await marks.world.mine(4)
    await marks.catch_up()
    assert await marks.held(sent) == ["received", "confirmed"]
    marks.reads.is_parked = False
    await marks.world.mine(20)
    await marks.catch_up()
    assert await marks.held(sent) == ["received", "confirmed", "reorganised"]
    assert await marks.types(payment) == ["requested"]


async def test_what_is_not_final_is_let_go_when_its_payment_appears(marks: SharedOffice) -> None:
    merchant = await marks.register("shop")
    payment = await marks.ask(1, merchant)
    marks.reads.is_parked = True
    sent = await marks.pay(1)
    await marks.world.mine(1)
    await marks.catch_up()
    assert await marks.held(sent) == ["received"]
    marks.reads.is_parked = False
    await marks.final()
    assert await marks.held(sent) == ["received", "dropped"]
    assert (await marks.types(payment))[-1] == "succeeded"


async def test_a_warning_is_given_once_for_each_transfer(marks: SharedOffice) -> None:
    with structlog.testing.capture_logs() as lines:
        sent = await marks.pay(1, mark=None)
        await marks.catch_up()
        await marks.final()
    told: list[Any] = [line for line in lines if line["event"] == "transfer_unclaimed"]
    assert [(line["transfer"], line["why"]) for line in told] == [(sent.key, "no_mark")]


async def test_test_money_does_not_reach_a_live_payment_by_its_mark(marks: SharedOffice) -> None:
    merchant = await marks.register("shop", livemode=True)
    payment = await marks.ask(1, merchant)
    sent = await marks.pay(1)
    await marks.final()
    assert await marks.types(payment) == ["requested"]
    assert await marks.held(sent) == ["received", "confirmed"]


async def test_a_mark_given_out_on_a_network_alike_is_found_and_called_wrong_network(
    marks: SharedOffice,
) -> None:
    payment = await marks.ask(1, await marks.register("shop"), network="bittensor-two")
    marks.watching = marks.watch(marks.writer, networks_alike=("bittensor", "bittensor-two"))
    await marks.pay(1)
    await marks.final()
    facts = await marks.facts(payment)
    assert any("wrong_network" in getattr(fact, "labels", ()) for fact in facts)
