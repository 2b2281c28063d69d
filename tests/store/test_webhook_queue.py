"""The queue of webhooks: what Postgres keeps, memory keeps too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.memory_webhooks import MemoryWebhooks
from flamewire_ledger.store.postgres_webhooks import PostgresWebhooks
from flamewire_ledger.store.webhook_queue import (
    Attempt,
    Batch,
    QueuedDelivery,
    QueuedMessage,
    Replay,
    Wanted,
    WebhookQueue,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
MERCHANT = "mer_one"


@pytest.fixture(params=["memory", "postgres"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[WebhookQueue]:
    if request.param == "memory":
        yield MemoryWebhooks()
        return
    connections = Connections(request.getfixturevalue("ledger_url"), size_max=2)
    yield PostgresWebhooks(connections)
    await connections.close()


def message(name: str, stream_id: str = "pi_one", position: int = 1) -> QueuedMessage:
    body = f'{{"id":"{name}"}}'.encode()
    return QueuedMessage(name, MERCHANT, "payment.completed", stream_id, position, NOON, body)


def to(endpoint_id: str, message_id: str, **fields: Any) -> QueuedDelivery:
    given = {"kind": "event", **fields}
    round_ = fields.get("replay_id", "")
    return QueuedDelivery(f"wd_{endpoint_id}{message_id}{round_}", endpoint_id, message_id, **given)


def batch(*names: str, endpoints: Sequence[str] = ("we_a",), **more: Any) -> Batch:
    """Messages of streams of their own, to each endpoint."""
    messages = [message(name, f"pi_{name}", place) for place, name in enumerate(names, 1)]
    return Batch(messages, [to(each, name) for name in names for each in endpoints], **more)


async def take(queue: WebhookQueue, now: datetime = NOON, **changes: Any) -> list[str]:
    given = {"busy": {}, "each_max": 8, "limit": 100, **changes}
    taken = await queue.take(0, now, now + timedelta(minutes=1), **given)
    return [f"{it.endpoint_id}:{it.message_id}" for it in taken]


def attempt(
    delivery_id: str, number: int = 1, *, again_at: datetime | None = None, **changes: Any
) -> Attempt:
    given: dict[str, Any] = {
        "delivery_id": delivery_id,
        "number": number,
        "at": NOON,
        "duration_ms": 12,
        "status_code": 500,
        "error": None,
        "body": "no",
        "is_taken": False,
        "again_at": again_at,
    }
    return Attempt(**{**given, **changes})


async def test_a_batch_and_its_position_are_put_down_together_and_once(queue: WebhookQueue):
    assert await queue.position(0) == 0
    await queue.put(0, 7, batch("m1", "m2"), NOON)
    await queue.put(0, 7, batch("m1", "m2"), LATER)
    await queue.put(0, 5, Batch(), NOON)
    assert (await queue.position(0), await queue.position(1)) == (7, 0)
    assert await take(queue) == ["we_a:m1", "we_a:m2"]
    assert await take(queue) == []


async def test_what_was_taken_and_not_heard_of_is_due_again(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1"), NOON)
    assert await take(queue) == ["we_a:m1"]
    assert await queue.next_due(0) == NOON + timedelta(minutes=1)
    assert await take(queue, NOON + timedelta(seconds=59)) == []
    assert await take(queue, NOON + timedelta(seconds=61)) == ["we_a:m1"]


async def test_what_another_had_taken_is_due_at_once_for_who_comes_next(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1", "m2"), NOON)
    await take(queue)
    await queue.attempted(attempt("wd_we_am2", again_at=LATER))
    await queue.release(0, NOON)
    assert await take(queue) == ["we_a:m1"]


async def test_an_endpoint_has_a_few_at_once_and_keeps_no_other_waiting(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1", "m2", "m3", endpoints=["we_a", "we_b"]), NOON)
    taken = await take(queue, each_max=2, busy={"we_a": 1})
    assert sorted(taken) == ["we_a:m1", "we_b:m1", "we_b:m2"]
    assert await take(queue, each_max=2, busy={"we_a": 2, "we_b": 2}) == []


async def test_an_endpoint_that_fails_has_one_at_a_time(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1", "m2", "m3"), NOON)
    await take(queue, limit=1)
    await queue.attempted(attempt("wd_we_am1", again_at=LATER))
    assert await take(queue) == ["we_a:m2"]
    await queue.attempted(attempt("wd_we_am2", is_taken=True, status_code=200))
    assert await take(queue, LATER) == ["we_a:m1", "we_a:m3"]


async def test_what_happened_to_one_thing_is_told_in_order(queue: WebhookQueue):
    first, second = message("m1", "pi_x", 1), message("m2", "pi_x", 2)
    deliveries = [to("we_a", "m1"), to("we_a", "m2"), to("we_b", "m2")]
    await queue.put(0, 2, Batch([first, second], deliveries), NOON)
    assert sorted(await take(queue)) == ["we_a:m1", "we_b:m2"]
    soon = NOON + timedelta(seconds=5)
    await queue.attempted(attempt("wd_we_am1", again_at=soon))
    assert await take(queue) == []  # the first waits to be tried again, and the second for it
    assert await take(queue, soon) == ["we_a:m1"]
    await queue.attempted(attempt("wd_we_am1", 2))  # given up
    assert await take(queue, soon) == ["we_a:m2"]


async def test_an_attempt_is_written_down_once(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1"), NOON)
    await take(queue)
    assert await queue.attempted(attempt("wd_we_am1", again_at=LATER)) == NOON
    assert await queue.attempted(attempt("wd_we_am1", again_at=LATER)) is None
    taken = attempt(
        "wd_we_am1", 2, at=LATER, is_taken=True, status_code=204, body="", duration_ms=3
    )
    assert await queue.attempted(taken) is None
    row = await queue.delivery(MERCHANT, "we_a", "wd_we_am1")
    assert row is not None
    assert (row["status"], row["attempts"], row["again_at"]) == ("delivered", 2, None)
    assert row["sent"] == b'{"id":"m1"}'
    assert [(it["number"], it["status_code"], it["body"]) for it in row["tried"]] == [
        (1, 500, "no"),
        (2, 204, ""),
    ]
    assert await queue.delivery("mer_other", "we_a", "wd_we_am1") is None
    assert await queue.delivery(MERCHANT, "we_b", "wd_we_am1") is None


async def test_since_when_an_endpoint_fails_is_known_until_it_takes_something(
    queue: WebhookQueue,
):
    await queue.put(0, 1, batch("m1", "m2", "m3"), NOON)
    await take(queue)
    await queue.attempted(attempt("wd_we_am1", again_at=LATER))
    assert await queue.attempted(attempt("wd_we_am2", at=LATER)) == NOON
    standing = (await queue.standings(0, ["we_a", "we_b"]))["we_a"]
    assert (standing["failing_since"], standing["failed_at"]) == (NOON, LATER)
    assert standing["waiting"] == 2
    await queue.attempted(attempt("wd_we_am3", is_taken=True))
    standings = await queue.standings(0, ["we_a", "we_b"])
    assert standings["we_a"]["failing_since"] is None
    assert standings["we_b"]["waiting"] == 0


async def test_a_test_that_fails_says_nothing_of_its_endpoint(queue: WebhookQueue):
    await queue.put(0, 1, Batch([message("m1")], [to("we_a", "m1", kind="test")]), NOON)
    await take(queue)
    assert await queue.attempted(attempt("wd_we_am1")) is None
    assert (await queue.standings(0, ["we_a"]))["we_a"]["failing_since"] is None


async def test_what_waits_for_an_endpoint_can_be_canceled(queue: WebhookQueue):
    deliveries = [to("we_a", "m1"), to("we_a", "m2", kind="test"), to("we_b", "m1")]
    messages = [message("m1"), message("m2", "wr_one", 2)]
    replay = Replay("wrp_1", "we_a", MERCHANT, 0, 9, undelivered_only=False, requested_at=NOON)
    await queue.put(0, 2, Batch(messages, deliveries, [replay]), NOON)
    assert await queue.cancel(0, "we_a", NOON, tests_too=False) == 1
    assert await queue.replays(0, waiting_max=10, limit=10) == []
    assert sorted(await take(queue)) == ["we_a:m2", "we_b:m1"]
    await queue.put(0, 3, Batch(canceled={"we_a": True}), NOON)
    listed = await queue.deliveries(MERCHANT, "we_a", Wanted(10))
    assert [it["status"] for it in listed] == ["canceled", "canceled"]


async def test_a_replay_is_queued_part_by_part_and_waits_for_a_long_queue(queue: WebhookQueue):
    replay = Replay("wrp_1", "we_a", MERCHANT, 0, 9, undelivered_only=True, requested_at=NOON)
    await queue.put(0, 10, batch("m1", replays=[replay]), NOON)
    assert await queue.replays(0, waiting_max=1, limit=10) == []
    assert await queue.replays(1, waiting_max=10, limit=10) == []
    assert await queue.replays(0, waiting_max=10, limit=10) == [replay]
    again = to("we_a", "m1", kind="replay", replay_id="wrp_1")
    await queue.put_replay(0, replay, 4, Batch([message("m1")], [again]), NOON)
    (rest,) = await queue.replays(0, waiting_max=10, limit=10)
    assert rest.after == 4
    await queue.put_replay(0, rest, 9, Batch(), NOON)
    assert await queue.replays(0, waiting_max=10, limit=10) == []
    await take(queue)
    await queue.attempted(attempt("wd_we_am1", is_taken=True))
    assert await queue.delivered_to("we_a", ["m1", "m9"]) == {"m1"}
    assert await queue.delivered_to("we_b", ["m1"]) == frozenset()


async def test_deliveries_are_listed_newest_first_a_page_at_a_time(queue: WebhookQueue):
    await queue.put(0, 3, batch("m1", "m2", "m3", endpoints=["we_a", "we_b"]), NOON)
    await take(queue)
    await queue.attempted(attempt("wd_we_am2", is_taken=True))

    async def listed(wanted: Wanted) -> list[str]:
        return [it["message_id"] for it in await queue.deliveries(MERCHANT, "we_a", wanted)]

    assert await listed(Wanted(2)) == ["m3", "m2"]
    assert await listed(Wanted(2, after="wd_we_am2")) == ["m1"]
    assert await listed(Wanted(9, status="delivered")) == ["m2"]
    assert await listed(Wanted(9, message_id="m1")) == ["m1"]
    assert await listed(Wanted(9, type="payment.expired")) == []
    assert await queue.deliveries("mer_other", "we_a", Wanted(9)) == []
    row = (await queue.deliveries(MERCHANT, "we_a", Wanted(1, status="delivered")))[0]
    assert (row["status_code"], row["tried_at"], row["position"]) == (500, NOON, 2)


async def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(queue: WebhookQueue):
    await queue.put(0, 2, batch("m1", "m2"), NOON)
    await take(queue)
    await queue.attempted(attempt("wd_we_am1", is_taken=True))
    assert await queue.drop_ended(0, NOON, 10) == 0
    assert await queue.drop_ended(0, LATER, 10) == 1
    assert await queue.drop_ended(0, LATER, 10) == 0
    assert await queue.position_of(MERCHANT, "m1") is None
    assert await queue.position_of(MERCHANT, "m2") == 2
    assert await queue.position_of("mer_other", "m2") is None


async def test_an_endpoint_that_is_enabled_again_has_not_failed_yet(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1"), NOON)
    await take(queue)
    await queue.attempted(attempt("wd_we_am1"))
    await queue.put(0, 2, Batch(begun_anew=["we_a"]), NOON)
    assert (await queue.standings(0, ["we_a"]))["we_a"]["failing_since"] is None


async def test_what_the_ledger_could_not_do_is_put_off_and_costs_no_attempt(queue: WebhookQueue):
    await queue.put(0, 1, batch("m1"), NOON)
    await take(queue)
    await queue.put_off(["wd_we_am1"], NOON + timedelta(seconds=5))
    (taken,) = await queue.take(0, LATER, LATER, busy={}, each_max=1, limit=1)
    assert taken.attempts == 0


async def test_secrets_are_kept_until_they_sign_nothing(queue: WebhookQueue):
    await queue.keep_secret("ws_1", b"sealed")
    await queue.keep_secret("ws_1", b"another")
    await queue.keep_secret("ws_2", b"two")
    assert await queue.secrets(["ws_1", "ws_2", "ws_3"]) == {"ws_1": b"sealed", "ws_2": b"two"}
    await queue.put(0, 1, Batch(ended_secrets={"ws_1": LATER}), NOON)
    await queue.drop_secrets(NOON)
    assert set(await queue.secrets(["ws_1", "ws_2"])) == {"ws_1", "ws_2"}
    await queue.drop_secrets(LATER + timedelta(seconds=1))
    assert set(await queue.secrets(["ws_1", "ws_2"])) == {"ws_2"}
    await queue.drop_secret("ws_2")
    assert await queue.secrets(["ws_2"]) == {}


async def test_an_event_that_cannot_be_told_is_put_aside(queue: WebhookQueue):
    await queue.park(0, 3, "pi_x", "payment.succeeded.v1", "no message can be made of it")
    await queue.park(0, 3, "pi_x", "payment.succeeded.v1", "nor now")
    assert await queue.parked(0, 10) == [3]
    assert await queue.parked(1, 10) == []
    await queue.unpark(0, 3)
    assert await queue.parked(0, 10) == []
