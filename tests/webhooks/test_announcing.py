"""What endpoints are told: of what they want, in order, signed by the secrets of now, and again if
asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook

from flamewire_ledger.processes import announcing
from flamewire_ledger.store.webhook_queue import Wanted
from flamewire_ledger.webhooks.addresses import Reach
from flamewire_ledger.webhooks.catalog import KIND_OF, KINDS, schemas
from flamewire_ledger.webhooks.post import NotSent, Reply
from tests.webhooks.shop import ENDPOINTS, Shop

URL = "http://127.0.0.1:9/hook"
OTHER = "http://127.0.0.1:9/other"


@dataclass
class Mailbox:
    """Takes everything, or nothing while `is_closed`."""

    is_closed: bool = False
    sent: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Reply:
        if self.is_closed:
            raise NotSent("the connection was refused")
        self.sent.append((url, headers, json.loads(body)))
        return Reply(200, "", None)

    def types(self, url: str = URL) -> list[str]:
        return [body["type"] for to, _, body in self.sent if to == url]

    def ids(self, url: str = URL) -> list[str]:
        return [headers["webhook-id"] for to, headers, _ in self.sent if to == url]


@pytest.fixture
def mail(shop: Shop) -> Mailbox:
    mailbox = Mailbox()
    shop.webhooks = shop.restarted(mailbox)
    return mailbox


async def settle(shop: Shop) -> None:
    """Until nothing is due: what happened to one thing goes out one at a time."""
    while await shop.settle():
        pass


async def paid(shop: Shop, reference: str = "order-17") -> dict[str, Any]:
    intent = await shop.intent(reference)
    await shop.see(intent)
    await shop.confirm(intent)
    return intent


async def ask(shop: Shop, what: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
    answer = await shop.ledger.post(f"{ENDPOINTS}/{shop.made[0]['id']}/{what}", body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def change(shop: Shop, **fields: Any) -> dict[str, Any]:
    answer = await shop.ledger.send("PATCH", f"{ENDPOINTS}/{shop.made[0]['id']}", fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_payment_is_told_from_beginning_to_end_in_order(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL)
    await paid(shop)
    await settle(shop)
    assert mail.types() == [
        "payment.created",
        "payment.detected",
        "payment.processing",
        "payment.completed",
    ]
    sequences = [body["sequence"] for _, _, body in mail.sent]
    assert sequences == sorted(sequences)
    assert [body["data"]["status"] for _, _, body in mail.sent] == [
        "requires_payment",
        "requires_payment",
        "processing",
        "succeeded",
    ]
    for _, headers, body in mail.sent:
        assert body["id"] == headers["webhook-id"]
        jsonschema.Draft202012Validator(schemas()[body["type"]]).validate(body)


async def test_an_endpoint_is_told_what_it_wants_and_nothing_else(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["payment.completed", "invoice.*"])
    await shop.endpoint(OTHER, event_types=["payment.*"])
    intent = await shop.intent("late")
    shop.ledger.clock.turn(seconds=1000)
    await shop.expire(intent)
    await paid(shop)
    await settle(shop)
    assert mail.types() == ["payment.completed"]
    assert "payment.expired" in mail.types(OTHER)


async def test_what_was_before_an_endpoint_and_while_it_was_off_is_not_told(
    shop: Shop, mail: Mailbox
):
    await shop.intent("before")
    await shop.endpoint(URL, event_types=["payment.created"])
    await shop.intent("first")
    await change(shop, status="disabled")
    await shop.intent("meanwhile")
    await change(shop, status="enabled")
    await shop.intent("last")
    await settle(shop)  # only now: what counts is the order of the log, not when it is read
    references = [body["data"]["reference"] for _, _, body in mail.sent]
    assert references == ["last"]  # what waited when it was turned off is canceled
    rows = await shop.queue.deliveries(shop.ledger.merchant_id, shop.made[0]["id"], Wanted(9))
    assert [row["status"] for row in rows] == ["delivered", "canceled"]


async def test_a_deleted_endpoint_is_told_nothing_and_its_secret_is_forgotten(
    shop: Shop, mail: Mailbox
):
    await shop.endpoint(URL)
    mail.is_closed = True
    await shop.intent()
    await settle(shop)
    gone = await shop.ledger.send("DELETE", f"{ENDPOINTS}/{shop.made[0]['id']}")
    assert gone.json()["deleted"] is True
    mail.is_closed = False
    shop.ledger.clock.turn(days=1)
    await shop.intent("later")
    await settle(shop)
    assert mail.sent == []
    await shop.webhooks.forget(0)
    assert shop.queue._secrets == {}
    again = await shop.ledger.send("DELETE", f"{ENDPOINTS}/{shop.made[0]['id']}")
    assert again.status_code == 404


async def test_while_a_secret_is_rotated_both_sign_and_then_only_the_new_one(
    shop: Shop, mail: Mailbox
):
    first = (await shop.endpoint(URL, event_types=["payment.created"]))["secret"]
    second = (await ask(shop, "rotate_secret", {"expires_in_seconds": 3600}))["secret"]
    assert first != second
    await shop.intent("one")
    await settle(shop)
    shop.ledger.clock.turn(seconds=3601)
    await shop.intent("two")
    await settle(shop)
    (_, both, one), (_, alone, _) = mail.sent
    body = json.dumps(one, separators=(",", ":")).encode()
    for secret in (first, second):
        assert Webhook(secret).verify(body, dict(both)) == one
    assert len(both["webhook-signature"].split(" ")) == 2
    assert len(alone["webhook-signature"].split(" ")) == 1
    await shop.webhooks.forget(0)
    assert len(shop.queue._secrets) == 1


async def test_a_secret_that_leaked_ends_at_once(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["payment.created"])
    await ask(shop, "rotate_secret", {"expires_in_seconds": 3600})
    await ask(shop, "rotate_secret", {"expires_in_seconds": 0})
    await shop.intent()
    await settle(shop)
    ((_, headers, _),) = mail.sent
    assert len(headers["webhook-signature"].split(" ")) == 1


async def test_a_test_is_sent_once_whatever_the_endpoint_takes(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["invoice.paid"])
    await shop.endpoint(OTHER)
    await change(shop, status="disabled")
    await ask(shop, "test")
    await settle(shop)
    assert mail.types() == ["webhook.test"]
    assert "webhook.test" not in mail.types(OTHER)
    mail.is_closed = True
    await ask(shop, "test")
    await settle(shop)
    shop.ledger.clock.turn(days=3)
    assert await shop.settle() == 0
    rows = await shop.queue.deliveries(shop.ledger.merchant_id, shop.made[0]["id"], Wanted(9))
    assert [row["status"] for row in rows] == ["failed", "delivered"]


async def test_a_replay_sends_the_same_messages_under_the_same_ids(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["payment.created", "payment.completed"])
    await paid(shop)
    await settle(shop)
    told = list(mail.sent)
    replay = await ask(shop, "replay", {"from_position": 1})
    assert replay["id"].startswith("wrp_")
    await settle(shop)
    assert mail.ids() == 2 * [headers["webhook-id"] for _, headers, _ in told]
    assert [body for _, _, body in mail.sent[2:]] == [body for _, _, body in told]
    kinds = await shop.queue.deliveries(shop.ledger.merchant_id, shop.made[0]["id"], Wanted(9))
    assert [row["kind"] for row in kinds] == ["replay", "replay", "event", "event"]


async def test_one_message_is_replayed_by_its_id(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["payment.*"])
    await paid(shop)
    await settle(shop)
    wanted = mail.ids()[2]
    await ask(shop, "replay", {"event_id": wanted})
    await settle(shop)
    assert mail.ids()[4:] == [wanted]


async def test_a_replay_sends_a_new_endpoint_what_was_before_it(shop: Shop, mail: Mailbox):
    await paid(shop)
    await shop.endpoint(URL, event_types=["payment.completed"])
    await settle(shop)
    assert mail.sent == []
    await ask(shop, "replay", {"from_position": 1})
    await settle(shop)
    assert mail.types() == ["payment.completed"]


async def test_a_replay_may_leave_out_what_was_taken(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL, event_types=["payment.created"])
    await shop.intent("taken")
    await settle(shop)
    mail.is_closed = True
    await shop.intent("not taken")
    await settle(shop)
    await change(shop, status="disabled")
    await settle(shop)
    mail.is_closed = False
    await change(shop, status="enabled")
    await ask(shop, "replay", {"from_position": 1, "undelivered_only": True})
    await settle(shop)
    assert [body["data"]["reference"] for _, _, body in mail.sent] == ["taken", "not taken"]


async def test_a_long_replay_is_queued_as_it_is_worked_off(
    shop: Shop, mail: Mailbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(announcing, "_PAGE_EVENTS", 3)
    monkeypatch.setattr(announcing, "WAITING_MAX", 4)
    await shop.endpoint(URL, event_types=["payment.created"])
    for number in range(20):
        await shop.intent(f"order-{number}")
    await settle(shop)
    mail.is_closed = True
    await ask(shop, "replay", {"from_position": 1})
    await settle(shop)
    endpoint_id = shop.made[0]["id"]
    standing = (await shop.queue.standings(0, [endpoint_id]))[endpoint_id]
    assert standing["waiting"] <= 4 + 3
    mail.is_closed = False
    for _ in range(20):
        shop.ledger.clock.turn(seconds=600)
        await settle(shop)
    assert len(mail.sent) == 40
    assert mail.ids()[:20] == mail.ids()[20:]


async def test_another_merchants_payments_are_not_told(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL)
    other = shop.ledger.key(await shop.ledger.merchant("another"))
    body = {"amount": "5.00", "currency": "USD"}
    assert (await shop.ledger.post("/v1/payment_intents", body, key=other)).status_code == 201
    await ask(shop, "replay", {"from_position": 1})
    await settle(shop)
    assert mail.sent == []


async def test_what_cannot_be_told_is_put_aside_and_the_rest_goes_on(
    shop: Shop, mail: Mailbox, monkeypatch: pytest.MonkeyPatch
):
    await shop.endpoint(URL, event_types=["payment.*"])
    await shop.intent("broken")
    intact = shop.ledger.codec.decode

    def broken(event: Any) -> Any:
        if event.type == "payment.requested.v1":
            raise ValueError("no such shape")
        return intact(event)

    monkeypatch.setattr(shop.ledger.codec, "decode", broken)
    await settle(shop)
    monkeypatch.undo()
    (cause,) = shop.queue.letters.values()
    assert "no such shape" in cause
    await shop.intent("whole")
    await settle(shop)
    assert [body["data"]["reference"] for _, _, body in mail.sent] == ["whole"]
    await shop.webhooks.forget(0)  # now and then, what was put aside is tried again
    await settle(shop)
    assert [body["data"]["reference"] for _, _, body in mail.sent] == ["whole", "broken"]
    assert shop.queue.letters == {}


async def test_what_ended_long_ago_is_forgotten(shop: Shop, mail: Mailbox):
    await shop.endpoint(URL)
    await shop.intent()
    await settle(shop)
    assert await shop.webhooks.forget(0) == 0
    shop.ledger.clock.turn(days=31)
    assert await shop.webhooks.forget(0) == 1
    answer = await shop.ledger.post(
        f"{ENDPOINTS}/{shop.made[0]['id']}/replay", {"event_id": mail.ids()[0]}
    )
    assert answer.status_code == 404
    await ask(shop, "replay", {"from_position": 1})
    await settle(shop)
    assert mail.ids() == 2 * mail.ids()[:1]


def test_every_type_of_message_has_a_name_of_its_own_and_known_events(shop: Shop):
    assert len({kind.type for kind in KINDS}) == len(KINDS)
    assert set(KIND_OF) <= set(shop.ledger.codec.classes)
    promised = {
        "payment.completed", "payment.processing", "payment.expired", "payment.requires_action",
        "invoice.finalized", "invoice.paid", "invoice.voided", "credits.low", "credits.expiring",
        "subscription.renewed", "subscription.canceled",
    }  # fmt: skip
    assert promised <= {kind.type for kind in KINDS}


def test_days_of_failure_are_more_than_those_of_one_message():
    from flamewire_ledger.processes.webhook_delivery import AGAIN_AFTER, FAILING_MAX

    assert sum(AGAIN_AFTER, timedelta()) * 1.1 < FAILING_MAX
