"""What an endpoint does not take is tried again, as often and as long as is promised, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flamewire_ledger.processes.webhook_delivery import (
    AGAIN_AFTER,
    ATTEMPTS_MAX,
    FAILING_MAX,
    again_after,
)
from flamewire_ledger.security.sealing import Sealer
from flamewire_ledger.webhooks.addresses import Reach
from flamewire_ledger.webhooks.post import NotSent, Reply
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.shop import ENDPOINTS, Shop

URL = "http://127.0.0.1:9/hook"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Answering:
    """Answers as it is told, without a network: the `answers` first, then `reply` for ever."""

    reply: Reply | None = None
    answers: list[Reply | None] = field(default_factory=list)
    sent: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Reply:
        self.sent.append(headers)
        self.bodies.append(body)
        reply = self.answers.pop(0) if self.answers else self.reply
        if reply is None:
            raise NotSent("the connection was refused")
        return reply

    @property
    def ids(self) -> list[str]:
        return [it["webhook-id"] for it in self.sent]


def said(status: int, retry_after: str | None = None) -> Reply:
    return Reply(status, "said", retry_after)


@pytest.fixture
def post(shop: Shop) -> Answering:
    answering = Answering(said(200))
    shop.webhooks = shop.restarted(answering)
    return answering


async def deliveries(shop: Shop, **wanted: Any) -> list[Mapping[str, Any]]:
    endpoint = shop.made[0]["id"]
    from flamewire_ledger.store.webhook_queue import Wanted

    found = await shop.queue.deliveries(shop.ledger.merchant_id, endpoint, Wanted(100, **wanted))
    return list(found)


async def test_ten_attempts_within_a_few_days_and_each_as_late_as_is_promised(
    shop: Shop, post: Answering
):
    post.reply = said(500)
    await shop.endpoint(URL)
    await shop.intent()
    waits: list[timedelta] = []
    for _ in range(ATTEMPTS_MAX + 2):
        await shop.settle()
        (row,) = await deliveries(shop)
        if row["again_at"] is not None:
            waits.append(row["again_at"] - shop.ledger.clock.now())
            shop.ledger.clock.at = row["again_at"] - timedelta(seconds=1)
            assert await shop.settle() == 0
            shop.ledger.clock.at = row["again_at"]
    assert len(post.sent) == ATTEMPTS_MAX
    assert (row["status"], row["attempts"]) == ("failed", ATTEMPTS_MAX)
    assert len(set(post.ids)) == len(set(post.bodies)) == 1
    for wait, planned in zip(waits, AGAIN_AFTER, strict=True):
        assert 0.9 * planned <= wait <= 1.1 * planned


def test_endpoints_are_not_all_tried_again_at_once():
    waits = {again_after(f"wd_{number}", 3, None, NOON) for number in range(50)}
    assert len(waits) == 50
    assert again_after("wd_1", 3, None, NOON) == again_after("wd_1", 3, None, NOON)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7200", 7200),
        ("Sun, 01 Mar 2026 13:00:00 GMT", 3600),
        ("999999999999", 86_400),
        ("Sun, 01 Mar 2099 13:00:00 GMT", 86_400),
        ("Sun, 01 Mar 2020 13:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("\u0661", 0),
    ],
)
def test_retry_after_is_honoured_within_a_day(retry_after: str, seconds: int):
    wait = again_after("wd_1", 1, retry_after, NOON)
    assert wait is not None
    planned = again_after("wd_1", 1, None, NOON)
    assert wait == max(timedelta(seconds=seconds), planned)


async def test_an_endpoint_that_asks_for_time_gets_it(shop: Shop, post: Answering):
    post.answers = [said(503, "600")]
    await shop.endpoint(URL)
    await shop.intent()
    await shop.settle()
    shop.ledger.clock.turn(seconds=599)
    assert await shop.settle() == 0
    shop.ledger.clock.turn(seconds=1)
    assert await shop.settle() == 1
    assert (await deliveries(shop))[0]["status"] == "delivered"


@pytest.mark.parametrize("status", [199, 300, 301, 302, 307, 400, 401, 404, 500, 503])
async def test_only_two_hundreds_are_success(shop: Shop, post: Answering, status: int):
    post.reply = said(status)
    await shop.endpoint(URL)
    await shop.intent()
    await shop.settle()
    (row,) = await deliveries(shop)
    assert (row["status"], row["status_code"], row["body"]) == ("pending", status, "said")


async def test_no_answer_says_why(shop: Shop, post: Answering):
    post.reply = None
    await shop.endpoint(URL)
    await shop.intent()
    await shop.settle()
    (row,) = await deliveries(shop)
    assert (row["status_code"], row["error"]) == (None, "the connection was refused")


async def test_gone_disables_at_once_and_cancels_what_waits(shop: Shop, post: Answering):
    post.reply = said(410)
    endpoint = await shop.endpoint(URL)
    for number in range(3):
        await shop.intent(f"order-{number}")
    await shop.settle()
    assert "webhook_endpoint.disabled.v1" in await shop.ledger.types()
    sent = len(post.sent)
    await shop.intent("later")
    shop.ledger.clock.turn(days=1)
    await shop.settle()
    assert len(post.sent) == sent
    statuses = {row["status"] for row in await deliveries(shop)}
    assert statuses <= {"failed", "canceled"}
    again = await shop.ledger.send(
        "PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"description": "the old one"}
    )
    shown = again.json()
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "gone")


async def test_five_days_of_failure_disable_and_say_so_to_the_others(shop: Shop, post: Answering):
    class Picky(Answering):
        async def send(self, url: str, *rest: Any) -> Reply:
            await super().send(url, *rest)
            return said(500 if url == URL else 200)

    picky = Picky(said(500))
    shop.webhooks = shop.restarted(picky)
    await shop.endpoint(URL, event_types=["payment.created"])
    await shop.endpoint("http://127.0.0.1:9/other", event_types=["webhook_endpoint.*"])
    await shop.intent("one")
    await shop.settle()
    shop.ledger.clock.turn(seconds=FAILING_MAX.total_seconds() - 60)
    await shop.settle()
    assert "webhook_endpoint.disabled.v1" not in await shop.ledger.types()
    shop.ledger.clock.turn(seconds=120)
    await shop.intent("two")
    await shop.settle()
    assert "webhook_endpoint.disabled.v1" in await shop.ledger.types()
    await shop.settle()
    assert b'"reason":"failing"' in picky.bodies[-1]
    assert b"webhook_endpoint.disabled" in picky.bodies[-1]


async def test_one_success_ends_the_days_of_failure(shop: Shop, post: Answering):
    post.answers = [said(500), said(200)]
    await shop.endpoint(URL, event_types=["payment.created"])
    await shop.intent("one")
    await shop.settle()
    shop.ledger.clock.turn(seconds=10)
    await shop.settle()
    shop.ledger.clock.turn(seconds=FAILING_MAX.total_seconds())
    post.reply = said(500)
    await shop.intent("two")
    await shop.settle()
    assert "webhook_endpoint.disabled.v1" not in await shop.ledger.types()


async def test_another_place_has_not_failed_yet(shop: Shop, post: Answering):
    post.reply = said(500)
    endpoint = await shop.endpoint(URL, event_types=["payment.created"])
    await shop.intent("one")
    await shop.settle()
    shop.ledger.clock.turn(seconds=FAILING_MAX.total_seconds() + 60)
    moved = {"url": "http://127.0.0.1:9/new"}
    await shop.ledger.send("PATCH", f"{ENDPOINTS}/{endpoint['id']}", moved)
    await shop.intent("two")
    await shop.settle()
    assert "webhook_endpoint.disabled.v1" not in await shop.ledger.types()


async def test_a_crash_behind_sending_sends_the_same_again(shop: Shop, post: Answering):
    class Dying(Answering):
        async def send(self, *given: Any) -> Reply:
            await super().send(*given)
            raise asyncio.CancelledError

    dying = Dying(said(200))
    await shop.endpoint(URL)
    await shop.intent()
    with pytest.raises(asyncio.CancelledError):
        await shop.restarted(dying).catch_up(0)
    assert await shop.settle() == 0  # it is taken, for a minute
    shop.ledger.clock.turn(seconds=61)
    assert await shop.settle() == 1
    assert post.ids == dying.ids
    assert post.bodies == dying.bodies


async def test_who_begins_anew_finds_everything_and_tells_nothing_twice(
    shop: Shop, post: Answering
):
    await shop.endpoint(URL)
    intent = await shop.intent()
    await shop.settle()
    await shop.see(intent)
    await shop.confirm(intent)
    other = Answering(said(200))
    await shop.restarted(other).catch_up(0)
    while await shop.restarted(other).catch_up(0):
        pass
    assert len(post.sent) == 1
    assert len(other.sent) == len(set(other.ids)) == 3
    assert not set(other.ids) & set(post.ids)


async def test_a_secret_that_cannot_be_opened_is_the_ledgers_fault_and_costs_no_attempt(
    shop: Shop, post: Answering, caplog: pytest.LogCaptureFixture
):
    await shop.endpoint(URL)
    await shop.intent()
    stranger = Sealer([b"x" * 32], "webhook secrets", shop.ledger.entropy)
    await shop.restarted(post, sealer=stranger).catch_up(0)
    assert post.sent == []
    (row,) = await deliveries(shop)
    assert (row["status"], row["attempts"]) == ("pending", 0)
    shop.ledger.clock.turn(seconds=60)
    assert await shop.settle() == 1


async def test_one_endpoint_that_is_stuck_keeps_no_other_waiting(shop: Shop):
    stuck = Receiver(release=asyncio.Event())
    async with receiving(stuck), receiving() as quick:
        await shop.endpoint(stuck.url, event_types=["payment.created"])
        await shop.endpoint(quick.url, event_types=["payment.created"])
        running = asyncio.create_task(shop.webhooks.run())
        for number in range(12):
            await shop.intent(f"order-{number}")
        async with asyncio.timeout(20):
            while len(quick.received) < 12:
                await asyncio.sleep(0.005)
        assert 1 <= stuck.most_at_once <= 8
        assert len(stuck.received) <= 8
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
