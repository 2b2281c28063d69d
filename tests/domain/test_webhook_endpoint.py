"""Webhook endpoints: what follows from what is asked of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from flamewire_ledger.domain.rejection import LimitReached, Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.webhook_endpoint import (
    ENDPOINTS_MAX,
    EVENT_TYPES_MAX,
    ChangeWebhookEndpoint,
    CreateWebhookEndpoint,
    DeleteWebhookEndpoint,
    DisableWebhookEndpoint,
    ReplayWebhooks,
    RotateWebhookSecret,
    SendTestWebhook,
    WebhookCommand,
    WebhookEndpointChanged,
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEvent,
    WebhookSecretRotated,
    WebhookTestRequested,
    decide,
    evolve,
    is_meant,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://shop.example/hooks"
HOUR = timedelta(hours=1)


def after(*facts: WebhookEvent) -> Any:
    return reduce(evolve, facts, None)


def created(endpoint_id: str = "we_1", **changes: Any) -> WebhookEndpointCreated:
    given: dict[str, Any] = {
        "endpoint_id": endpoint_id,
        "url": URL,
        "event_types": ("payment.*",),
        "description": None,
        "livemode": True,
        "secret_id": "ws_1",
        "created_at": NOON,
    }
    return WebhookEndpointCreated(**{**given, **changes})


def create(endpoint_id: str = "we_1", **changes: Any) -> CreateWebhookEndpoint:
    given: dict[str, Any] = {
        "webhooks_id": "wr_1",
        "endpoint_id": endpoint_id,
        "url": URL,
        "event_types": ("payment.*",),
        "description": None,
        "livemode": True,
        "secret_id": "ws_1",
        "at": NOON,
    }
    return CreateWebhookEndpoint(**{**given, **changes})


def change(**fields: Any) -> ChangeWebhookEndpoint:
    given = {"url": None, "event_types": None, "description": None, "is_enabled": None}
    return ChangeWebhookEndpoint("wr_1", "we_1", **{**given, **fields}, at=NOON)


def rotate(number: int, seconds: int = 3600, at: datetime = NOON) -> RotateWebhookSecret:
    return RotateWebhookSecret("wr_1", "we_1", f"ws_{number}", seconds, at)


DISABLED = WebhookEndpointDisabled("we_1", "gone", "it answered 410", NOON)


def test_an_endpoint_is_made():
    assert decide(None, create()) == (created(),)


@pytest.mark.parametrize("types", [(), tuple(f"payment.{n}" for n in range(EVENT_TYPES_MAX + 1))])
def test_it_is_told_of_something_and_of_so_much(types: tuple[str, ...]):
    with pytest.raises(Malformed):
        decide(None, create(event_types=types))
    with pytest.raises(Malformed):
        decide(after(created()), change(event_types=types))


def test_there_is_a_limit_and_a_deleted_one_makes_room():
    facts = [created(f"we_{number}") for number in range(ENDPOINTS_MAX)]
    with pytest.raises(LimitReached):
        decide(after(*facts), create("we_more"))
    gone = WebhookEndpointDeleted("we_0", NOON)
    assert decide(after(*facts, gone), create("we_more"))


def test_what_is_named_changes_and_the_rest_stays():
    changed = WebhookEndpointChanged("we_1", URL, ("payment.*",), "the shop", NOON)
    assert decide(after(created()), change(description="the shop")) == (changed,)
    assert decide(after(created()), change(url=URL)) == ()
    taken_away = WebhookEndpointChanged("we_1", URL, ("payment.*",), None, NOON)
    assert decide(after(created(), changed), change(description="")) == (taken_away,)


def test_it_is_turned_off_and_on_once():
    off = WebhookEndpointDisabled("we_1", "asked", None, NOON)
    assert decide(after(created()), change(is_enabled=False)) == (off,)
    assert decide(after(created(), off), change(is_enabled=False)) == ()
    on = WebhookEndpointEnabled("we_1", NOON)
    assert decide(after(created(), DISABLED), change(is_enabled=True)) == (on,)
    assert decide(after(created()), change(is_enabled=True)) == ()
    assert after(created(), DISABLED, on).endpoints["we_1"].disabled_because is None


def test_it_is_disabled_once_for_the_first_reason():
    command = DisableWebhookEndpoint("wr_1", "we_1", "gone", "it answered 410", NOON)
    assert decide(after(created()), command) == (DISABLED,)
    assert decide(after(created(), DISABLED), command) == ()


@pytest.mark.parametrize(
    "command",
    [
        change(is_enabled=True),
        DisableWebhookEndpoint("wr_1", "we_1", "gone", None, NOON),
        rotate(2),
        SendTestWebhook("wr_1", "we_1", NOON),
        ReplayWebhooks("wr_1", "we_1", "wrp_1", 0, 9, undelivered_only=False, at=NOON),
        DeleteWebhookEndpoint("wr_1", "we_1", NOON),
    ],
)
def test_what_is_not_there_cannot_be_asked_for_anything(command: WebhookCommand):
    for state in (None, after(created(), WebhookEndpointDeleted("we_1", NOON))):
        with pytest.raises(NotFound):
            decide(state, command)


def test_the_secret_before_signs_as_well_for_a_while():
    facts = decide(after(created()), rotate(2))
    assert facts == (WebhookSecretRotated("we_1", "ws_2", "ws_1", NOON + HOUR, NOON),)
    endpoint = after(created(), *facts).endpoints["we_1"]
    assert endpoint.secrets_at(NOON) == ("ws_2", "ws_1")
    assert endpoint.secrets_at(NOON + HOUR) == ("ws_2",)


def test_at_most_two_are_on_their_way_out_and_all_of_them_can_end_now():
    state = after(created(), *decide(after(created()), rotate(2)))
    state = reduce(evolve, decide(state, rotate(3)), state)
    assert state.endpoints["we_1"].secrets_at(NOON) == ("ws_3", "ws_2", "ws_1")
    with pytest.raises(NotAllowed, match="0 seconds"):
        decide(state, rotate(4))
    ended = reduce(evolve, decide(state, rotate(4, seconds=0)), state)
    assert ended.endpoints["we_1"].secrets_at(NOON) == ("ws_4",)
    assert decide(state, rotate(4, at=NOON + HOUR))


@pytest.mark.parametrize("seconds", [-1, 7 * 86_400 + 1])
def test_a_rotation_takes_a_week_at_most(seconds: int):
    with pytest.raises(Malformed):
        decide(after(created()), rotate(2, seconds))


def test_one_that_is_disabled_is_tested_and_not_replayed_to():
    state = after(created(), DISABLED)
    assert decide(state, SendTestWebhook("wr_1", "we_1", NOON)) == (
        WebhookTestRequested("we_1", NOON),
    )
    with pytest.raises(NotAllowed, match="enable it"):
        decide(state, ReplayWebhooks("wr_1", "we_1", "wrp_1", 0, 9, undelivered_only=True, at=NOON))


@pytest.mark.parametrize(("first", "until"), [(9, 9), (9, 3), (-1, 3)])
def test_a_replay_is_of_something(first: int, until: int):
    command = ReplayWebhooks("wr_1", "we_1", "wrp_1", first, until, undelivered_only=False, at=NOON)
    with pytest.raises(Malformed):
        decide(after(created()), command)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*", True),
        ("payment.*", True),
        ("payment.completed", True),
        ("payment.complete", False),
        ("invoice.*", False),
        ("payment", False),
        ("", False),
    ],
)
def test_which_types_are_meant(pattern: str, meant: bool):
    assert is_meant("payment.completed", pattern) is meant
