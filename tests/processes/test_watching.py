"""What a chain says becomes commands on payments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

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
from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.decider import Contended, Envelope, Failed, Outcome
from flamewire_ledger.commands.merchant import envelope as merchant_envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    LatePolicy,
    PaymentOption,
    PaymentRequested,
    RequestPayment,
)
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.processes.watching import READ_MODELS, Watching, WatchingLimits
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import StoreUnavailable, partition_of
from flamewire_ledger.store.memory import MemoryEventStore
from tests.chains.sandbox_world import SandboxWorld

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
CODEC = Codec()
DUE = 60_606_061


class ReadModels:
    """The read models a watcher asks, folded from the store as far as the test lets them be."""

    def __init__(self, store: MemoryEventStore) -> None:
        self._store = store
        self.lags = False
        self.waited_for: list[tuple[int, int, tuple[str, ...]]] = []
        self._seen: dict[int, list[Any]] = {}

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        self.waited_for.append((partition, position, tuple(names)))
        if self.lags:
            return False
        self._seen[partition] = await self._store.read(partition, 0, 100_000, until=position)
        return True

    def _facts(self, name: str) -> list[tuple[str, Any]]:
        return [
            (each.merchant_id, CODEC.decode(each))
            for events in self._seen.values()
            for each in events
            if each.type == name
        ]

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 10_000
    ) -> Sequence[dict[str, Any]]:
        return [
            {
                "address": option.address,
                "payment_id": fact.payment_id,
                "merchant_id": merchant_id,
                "expires_at": fact.expires_at,
            }
            for merchant_id, fact in self._facts(PaymentRequested.type)
            for option in fact.options
            if option.network == network and option.address in addresses
        ]

    async def merchant(self, merchant_id: str) -> dict[str, Any] | None:
        for _, fact in self._facts("merchant.registered.v1"):
            if fact.merchant_id == merchant_id:
                return {"livemode": fact.livemode}
        return None

    async def payment(self, merchant_id: str, payment_id: str) -> dict[str, Any] | None:
        for _, fact in self._facts(PaymentRequested.type):
            if fact.payment_id == payment_id:
                asset = fact.amount.asset
                return {"currency": asset.code, "decimals": asset.decimals}
        return None


class Office:
    """A ledger in memory that takes payments, a sandbox chain, and its watcher."""

    def __init__(self, partitions: int = 1) -> None:
        self.world = SandboxWorld("bittensor")
        self.store = MemoryEventStore(lambda: NOON, partitions)
        self.writer = Writer(self.store, CODEC)
        self.reads = ReadModels(self.store)
        self.state = MemoryFollowerState()
        self.watching = self.watch(self.writer)

    def watch(self, writer: Any, **changes: Any) -> Watching:
        given: dict[str, Any] = {"network": self.world.chain.network, **changes}
        board = PriceBoard(sandbox_feeds(lambda: self.now))
        return Watching(
            store=self.store, reads=self.reads, writer=writer, prices=board,
            now=lambda: self.now, **given,
        )  # fmt: skip

    @property
    def now(self) -> datetime:
        return self.world.real_now + self.world.ahead

    async def catch_up(self) -> None:
        await Follower(self.world.chain, self.watching, self.state).catch_up()

    async def register(self, name: str, *, livemode: bool = False) -> str:
        merchant_id = derived_id("mer", NOON, name)
        command = RegisterMerchant(merchant_id, name, livemode, NOON)
        origin = Origin(command_id("register", name), merchant_id, "test")
        await self.writer.submit(merchant_envelope(origin, command))
        return merchant_id

    async def ask(
        self,
        number: int,
        merchant_id: str,
        *,
        currency: Asset = USD,
        late_policy: LatePolicy | None = None,
        network: str = "bittensor",
    ) -> str:
        """Ask for 25 of the currency at the chain's deposit address of that number."""
        payment_id = derived_id("pi", NOON, str(number))
        option = PaymentOption(
            network=network,
            chain_id="flamewire:sandbox-bittensor",
            asset_id="flamewire:sandbox-bittensor/slip44:1005",
            due=Amount(TAO, DUE),
            address=self.world.chain.deposit(number).address,
            uri="",
            price_lock_id=None,
        )
        command = RequestPayment(
            payment_id=payment_id,
            amount=Amount(currency, 25 * currency.units_per_major),
            options=(option,),
            credits=None,
            credit_account_id=None,
            reference=None,
            requested_at=self.now,
            expires_at=self.now + timedelta(minutes=15),
            **({"late_policy": late_policy} if late_policy else {}),  # type: ignore[arg-type]
        )
        origin = Origin(command_id("ask", str(number)), merchant_id, "test")
        await self.writer.submit(payments.envelope(origin, command))
        return payment_id

    async def pay(self, number: int, units: int = DUE, **how: Any) -> Transfer:
        address = self.world.chain.deposit(number).address
        return await self.world.play(address, units, **{"behaviour": "normal", **how})

    async def facts(self, payment_id: str) -> list[Any]:
        found = []
        for partition in range(self.store.partitions):
            events = await self.store.read_stream(partition, payment_id)
            found += [CODEC.decode(each) for each in events]
        return found

    async def types(self, payment_id: str) -> list[str]:
        """What was recorded of a payment, without `payment.` and the version."""
        return [fact.type.split(".")[1] for fact in await self.facts(payment_id)]


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


class BadWriter:
    """A writer that answers what it is told to."""

    def __init__(self, writer: Writer, outcome: Outcome | Failed, payment_id: str) -> None:
        self._writer = writer
        self.outcome: Outcome | Failed | None = outcome
        self._payment_id = payment_id

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        outcomes = await self._writer.submit_many([e for e in envelopes if not self._is_bad(e)])
        good = iter(outcomes)
        return [self.outcome if self._is_bad(e) and self.outcome else next(good) for e in envelopes]

    def _is_bad(self, envelope: Envelope) -> bool:
        return self.outcome is not None and envelope.subjects[0].stream_id == self._payment_id


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
