"""Commands on payments as envelopes: what is recorded together, and what is answered again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from flamewire_ledger.commands import payment, price_lock
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Decision, Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.payment import CancelPayment, PaymentOption, RequestPayment
from flamewire_ledger.domain.price_lock import LockPrice, Quote, UsePriceLock
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, LockUsed
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.commands.watched_store import WatchedStore

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=15)
USD, TAO = Asset("USD", 2), Asset("bittensor:TAO", 9)
MERCHANT = derived_id("mer", NOON, "merchant")
RATE = Rate(TAO, USD, Decimal("412.5"))
QUOTES = (Quote("one", Decimal("412.5"), NOON),)


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore(lambda: NOON)


@asynccontextmanager
async def writing(store: MemoryEventStore) -> AsyncIterator[Writer]:
    made = Writer(store, Codec())
    running = asyncio.create_task(made.run())
    yield made
    made.stop()
    await running


@pytest.fixture
async def writer(store: MemoryEventStore) -> AsyncIterator[Writer]:
    async with writing(store) as made:
        yield made


def origin(name: str, fingerprint: bytes = b"") -> Origin:
    return Origin(command_id("test", name), MERCHANT, "key:test", fingerprint)


def request(name: str, lock_id: str) -> RequestPayment:
    option = PaymentOption(
        "bittensor", "c", "c/a", Amount(TAO, 60_606_061), f"5{name}", "uri", lock_id
    )
    return RequestPayment(
        payment_id=derived_id("pi", NOON, name),
        amount=Amount(USD, 2500),
        options=(option,),
        credits=None,
        credit_account_id=None,
        reference=None,
        requested_at=NOON,
        expires_at=LATER,
    )


def lock(name: str, payment_id: str | None = None) -> LockPrice:
    return LockPrice(derived_id("pl", NOON, name), RATE, QUOTES, NOON, LATER, payment_id)


async def types(store: MemoryEventStore) -> Sequence[str]:
    return [event.type for event in await store.read(0, 0, 100)]


async def test_nobody_looks_for_a_payment_and_locks_that_are_made_now():
    watched = WatchedStore()
    payment_id = derived_id("pi", NOON, "a")
    made, agreed = lock("a", payment_id), lock("b")
    async with writing(watched) as writer:
        await writer.submit(price_lock.envelope(origin("lock"), agreed))
        command = payment.request(origin("a"), request("a", made.lock_id), [made])
        assert isinstance(await writer.submit(command), Done)
    assert watched.asked == {"append": 2}
    async with writing(watched) as writer:
        use = UsePriceLock(agreed.lock_id, derived_id("pi", NOON, "b"), NOON)
        command = payment.request(origin("b"), request("b", agreed.lock_id), [use])
        assert isinstance(await writer.submit(command), Done)
    assert watched.asked == {"append": 3, "snapshots": 1, "load": 1}, "one agreed on before is"


async def test_a_payment_and_its_locks_are_one_command_and_the_payment_is_last(
    writer: Writer, store: MemoryEventStore
):
    made = lock("a")
    command = request("a", made.lock_id)
    made = lock("a", command.payment_id)
    outcome = await writer.submit(payment.request(origin("a"), command, [made]))
    assert isinstance(outcome, Done)
    assert await types(store) == ["price_lock.locked.v1", "payment.requested.v1"]
    assert outcome.position == 2


async def test_a_lock_that_was_used_takes_the_whole_request_with_it(
    writer: Writer, store: MemoryEventStore
):
    made = lock("a")
    await writer.submit(price_lock.envelope(origin("lock"), made))
    outcomes = []
    for name in ("first", "second"):
        command = request(name, made.lock_id)
        use = UsePriceLock(made.lock_id, command.payment_id, NOON)
        outcomes.append(await writer.submit(payment.request(origin(name), command, [use])))
    assert isinstance(outcomes[0], Done)
    assert isinstance(outcomes[1], LockUsed)
    assert await types(store) == [
        "price_lock.locked.v1",
        "price_lock.used.v1",
        "payment.requested.v1",
    ]


async def test_an_answer_is_made_of_what_was_decided_and_given_again(writer: Writer):
    command = request("a", lock("a").lock_id)

    def answer(decision: Decision) -> bytes:
        assert decision.before[command.payment_id] is None
        (fact,) = decision.facts[command.payment_id]
        after = decision.after[command.payment_id]
        return f"{fact.type} {after.status}".encode()

    first = await writer.submit(payment.envelope(origin("a", b"x"), command, answer))
    assert isinstance(first, Done)
    assert (first.answer, first.replayed) == (b"payment.requested.v1 requires_payment", False)
    again = await writer.submit(payment.envelope(origin("a", b"x"), command, answer))
    assert isinstance(again, Done)
    assert (again.answer, again.replayed) == (first.answer, True)
    other = await writer.submit(payment.envelope(origin("a", b"y"), command, answer))
    assert isinstance(other, IdempotencyKeyReused)


async def test_a_command_that_changes_nothing_is_remembered_where_it_was_answered(
    writer: Writer, store: MemoryEventStore
):
    command = request("a", lock("a").lock_id)
    await writer.submit(payment.envelope(origin("a"), command))
    cancel = CancelPayment(command.payment_id, NOON)
    await writer.submit(payment.envelope(origin("b"), cancel))
    before = await store.head(0)
    again = await writer.submit(payment.envelope(origin("c"), cancel, lambda _: b"canceled"))
    assert isinstance(again, Done)
    assert await store.head(0) == before
    known = await store.find_commands(0, [origin("c").command_id])
    assert known[origin("c").command_id].answer == b"canceled"
