"""What a chain says becomes commands on payments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest

from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.observation import (
    Confirmed,
    Detected,
    Dropped,
    Included,
    ListenerBusy,
)
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.networks import sandbox_network
from flamewire_ledger.commands.decider import Contended, Failed, Outcome
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    LatePolicy,
)
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.watching import READ_MODELS, WatchingLimits
from flamewire_ledger.store.event_store import StoreUnavailable, partition_of
from tests.chains.sandbox_world import SandboxWorld
from tests.processes.office import DUE, NOON, TAO, USD, BadWriter, Office


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async for made in _open(Office()):
        yield made


@pytest.fixture
async def office_of_four() -> AsyncIterator[Office]:
    async for made in _open(Office(partitions=4)):
        yield made


async def _open(office: Office) -> AsyncIterator[Office]:
    running = asyncio.create_task(office.writer.run())
    await office.catch_up()
    yield office
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_transfer_is_detected_included_and_confirmed_and_the_payment_succeeds(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.catch_up()
    assert (await office.types(payment))[1:] == ["transfer_detected", "processing"]
    await office.world.mine()
    await office.catch_up()
    assert (await office.types(payment))[3:] == ["transfer_included"]
    await office.world.make_final()
    await office.catch_up()
    assert (await office.types(payment))[4:] == ["transfer_confirmed", "succeeded"]


async def test_a_part_is_not_enough(office: Office) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1, DUE // 2)
    await office.world.mine()
    await office.world.make_final()
    await office.catch_up()
    types = await office.types(payment)
    assert "transfer_confirmed" in types
    assert "succeeded" not in types


async def test_transfers_to_addresses_nobody_was_given_are_ignored(office: Office) -> None:
    await office.register("shop")
    head = await office.store.head(0)
    await office.pay(7)
    await office.world.mine(5)
    await office.catch_up()
    assert await office.store.head(0) == head


async def test_an_address_that_was_given_out_before_the_block_was_read_is_waited_for(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.world.mine()
    office.reads.lags = True
    with pytest.raises(ListenerBusy):
        await office.catch_up()
    assert await office.types(payment) == ["requested"]
    office.reads.lags = False
    await office.catch_up()
    assert "transfer_detected" in await office.types(payment)
    assert (0, await office.store.head(0), READ_MODELS) not in office.reads.waited_for
    assert office.reads.waited_for[-1][1] >= 2


async def test_what_is_reported_twice_is_recorded_once(office: Office) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.world.mine(5)
    await office.catch_up()
    before = await office.types(payment)
    office.state = MemoryFollowerState()
    height = (await office.world.chain.heads()).latest.height
    again = Follower(
        office.world.chain, office.watching, office.state,
        start_height=height - 5,
    )  # fmt: skip
    await again.catch_up()
    assert await office.types(payment) == before


async def test_another_asset_goes_to_the_payment_which_says_that_it_is_wrong(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1, behaviour="wrong_asset")
    await office.world.mine()
    await office.world.make_final()
    await office.catch_up()
    facts = await office.facts(payment)
    assert any("wrong_asset" in getattr(fact, "labels", ()) for fact in facts)


async def test_an_address_given_out_on_a_network_alike_is_found_and_called_wrong_network(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant, network="bittensor-two")
    await office.pay(1)
    await office.world.mine(5)
    await office.catch_up()
    assert await office.types(payment) == ["requested"]

    office.watching = office.watch(office.writer, networks_alike=("bittensor", "bittensor-two"))
    await office.pay(1)
    await office.world.mine(5)
    await office.catch_up()
    facts = await office.facts(payment)
    assert any("wrong_network" in getattr(fact, "labels", ()) for fact in facts)


async def test_test_money_does_not_reach_a_live_payment(office: Office) -> None:
    merchant = await office.register("shop", livemode=True)
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.world.mine(5)
    await office.catch_up()
    assert await office.types(payment) == ["requested"]


async def test_a_reorganisation_before_finality_drops_the_transfer(office: Office) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1, behaviour="reorg_before_final")
    for _ in range(5):
        await office.world.mine()
        await office.catch_up()
    assert (await office.types(payment))[-2:] == ["processing", "transfer_dropped"]


async def test_a_reorganisation_after_success_is_undone_to_the_last_posting(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1, behaviour="reorg")
    await office.world.mine(4)
    await office.catch_up()
    assert (await office.types(payment))[-1] == "succeeded"
    await office.world.mine(20)
    await office.catch_up()
    facts = await office.facts(payment)
    reorganised = facts[-1]
    assert reorganised.type == "payment.transfer_reorganised.v1"
    booked = [p for fact in facts[:-1] for p in getattr(fact, "postings", ())]
    assert len(reorganised.postings) == len(booked)
    assert {(p.debit, p.credit) for p in reorganised.postings} == {
        (p.credit, p.debit) for p in booked
    }


async def test_a_transfer_that_was_dropped_and_comes_back_counts(office: Office) -> None:
    """The same transaction in the same block, taken out and put back: not a repetition."""
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    address = office.world.chain.deposit(1).address
    transfer = Transfer("bittensor", "0xaa", 0, address, Amount(TAO, DUE))
    block = Block(5, "0xb5", NOON)
    await office.watching.known([transfer])
    await office.watching.observed([Included(transfer, block, NOON, 0)])
    await office.watching.observed([Confirmed(transfer, block, 3, NOON, 0)])
    await office.watching.observed([Dropped(transfer, NOON, 1)])
    assert (await office.types(payment))[-1] == "transfer_reorganised"
    await office.watching.observed([Included(transfer, block, NOON, 2)])
    await office.watching.observed([Confirmed(transfer, block, 3, NOON, 2)])
    assert (await office.types(payment))[-1] == "succeeded"


async def test_a_late_transfer_under_reprice_counts_for_what_it_is_worth_now(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    policy = LatePolicy(action="reprice")
    payment = await office.ask(1, merchant, late_policy=policy)
    office.world.ahead = timedelta(hours=1)
    await office.pay(1, 30_000_000)
    await office.world.mine(5)
    await office.catch_up()
    confirmed = [
        f for f in await office.facts(payment) if f.type == "payment.transfer_confirmed.v1"
    ]
    # 0.03 TAO at 412.50 dollars, rounded down to cents.
    assert [fact.worth for fact in confirmed] == [Amount(USD, 12_37)]


async def test_a_late_transfer_to_a_payment_in_credits_is_worth_the_credits_it_buys(
    office: Office,
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(
        1, merchant, currency=CREDIT, late_policy=LatePolicy(action="reprice")
    )
    office.watching = office.watch(office.writer, credit_price=Decimal("0.5"))
    office.world.ahead = timedelta(hours=1)
    await office.pay(1, 10_000_000)
    await office.world.mine(5)
    await office.catch_up()
    confirmed = [
        f for f in await office.facts(payment) if f.type == "payment.transfer_confirmed.v1"
    ]
    assert [fact.worth.text for fact in confirmed] == ["8.250000"]


@pytest.mark.parametrize("blocks_before", [0, 1])
async def test_what_is_late_is_late_to_a_watcher_whose_clock_lags_behind(
    office: Office, blocks_before: int
) -> None:
    """The payer's process moved the sandbox clock a moment ago, and this one has yet to look."""
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    payer = SandboxWorld("bittensor", office.world.journal)
    payer.real_now, payer.ahead = office.world.real_now, timedelta(hours=1)
    await payer.pay(payer.chain.deposit(1).address, DUE)
    await office.world.mine(blocks_before)
    await office.catch_up()
    await office.world.mine(5)
    await office.catch_up()
    facts = await office.facts(payment)
    assert "late" in facts[1].labels
    assert "succeeded" not in await office.types(payment)


async def test_a_block_full_of_payments_is_sent_together(office: Office) -> None:
    merchant = await office.register("shop")
    asked = [await office.ask(number, merchant) for number in range(200)]
    for number in range(200):
        await office.pay(number)
    batches = office.writer.counts.batches
    await office.world.mine()
    await office.catch_up()
    for payment in asked:
        assert "processing" in await office.types(payment)
    assert office.writer.counts.batches - batches <= 4


async def test_merchants_of_several_partitions_are_all_served(office_of_four: Office) -> None:
    office = office_of_four
    merchants = [await office.register(f"shop {number}") for number in range(8)]
    assert len({partition_of(each, 4) for each in merchants}) > 1
    asked = [await office.ask(number, each) for number, each in enumerate(merchants)]
    for number in range(8):
        await office.pay(number)
    await office.world.mine(5)
    await office.catch_up()
    for payment in asked:
        assert (await office.types(payment))[-1] == "succeeded"
    assert {partition for partition, _, _ in office.reads.waited_for} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "outcome", [Contended(("pi_1",)), Failed(StoreUnavailable("the database is away"))]
)
async def test_what_the_writer_could_not_record_is_told_again(
    office: Office, outcome: Outcome | Failed
) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    bad = BadWriter(office.writer, outcome, payment)
    office.watching = office.watch(bad)
    await office.pay(1)
    await office.world.mine(5)
    with pytest.raises(ListenerBusy):
        await office.catch_up()
    bad.outcome = None
    await office.catch_up()
    assert (await office.types(payment))[-1] == "succeeded"


async def test_a_payment_that_cannot_take_a_transfer_in_holds_up_no_other(office: Office) -> None:
    merchant = await office.register("shop")
    broken, sound = await office.ask(1, merchant), await office.ask(2, merchant)
    bad = BadWriter(office.writer, Failed(RuntimeError("a fault of ours")), broken)
    office.watching = office.watch(bad)
    await office.pay(1)
    await office.pay(2)
    await office.world.mine(5)
    await office.catch_up()
    assert (await office.types(sound))[-1] == "succeeded"
    assert await office.types(broken) == ["requested"]
    bad.outcome = None
    await office.catch_up()
    assert (await office.types(broken))[-1] == "succeeded"


async def test_money_is_not_passed_over_by_read_models_that_went_back(office: Office) -> None:
    """As when they are built anew: what was met before is confirmed without being asked about."""
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.world.mine(1)
    await office.catch_up()
    assert (await office.types(payment))[-1] != "succeeded"
    office.reads.forget()
    office.reads.lags = True
    await office.world.mine(5)
    with pytest.raises(ListenerBusy):
        await office.catch_up()
    office.reads.lags = False
    await office.catch_up()
    assert (await office.types(payment))[-1] == "succeeded"


async def test_money_for_an_address_that_is_missing_is_told_again(office: Office) -> None:
    """As when the event that gave the address away is parked: its transfers wait with it."""
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    await office.pay(1)
    await office.world.mine(1)
    await office.catch_up()
    office.reads.is_parked = True
    await office.world.mine(5)
    await office.catch_up()
    assert (await office.types(payment))[-1] != "succeeded"
    office.reads.is_parked = False
    await office.catch_up()
    assert (await office.types(payment))[-1] == "succeeded"


async def test_more_than_one_batch_of_commands_is_sent_in_parts(office: Office) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    office.watching = office.watch(
        office.writer, limits=WatchingLimits(addresses_max=1, commands_max=1)
    )
    other = await office.ask(2, merchant)
    await office.pay(1)
    await office.pay(2)
    await office.world.mine(5)
    await office.catch_up()
    assert (await office.types(payment))[-1] == "succeeded"
    assert (await office.types(other))[-1] == "succeeded"


async def test_a_transfer_seen_waiting_is_recorded_without_a_block(office: Office) -> None:
    merchant = await office.register("shop")
    payment = await office.ask(1, merchant)
    address = office.world.chain.deposit(1).address
    transfer = Transfer("bittensor", "0xaa", 0, address, Amount(TAO, DUE))
    await office.watching.known([transfer])
    await office.watching.observed([Detected(transfer, NOON, 0)])
    facts = await office.facts(payment)
    assert facts[1].block is None
    assert facts[1].seen_at == NOON


def test_sandbox_networks_are_not_live() -> None:
    assert not sandbox_network("ethereum").livemode
