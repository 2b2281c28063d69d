"""Webhook endpoints: made, changed, given another secret, tested, asked to replay, deleted.

The secret is in the first answer and nowhere else, not even in the answer that is stored for a
repeat of the request: what is kept of it is sealed. Times are by the real clock, sandbox or not, as
deliveries are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.webhook_endpoints import (
    CreateWebhookEndpoint,
    ListWebhookEndpoints,
    UpdateWebhookEndpoint,
)
from flamewire_ledger.api.models.webhook_endpoints import ReplayWebhooks as ReplayBody
from flamewire_ledger.api.models.webhook_endpoints import RotateWebhookSecret as RotateBody
from flamewire_ledger.api.reading import Row, caught_up, find
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.submitting import Build, answer_to, done, recorded, submit
from flamewire_ledger.commands import webhook_endpoint as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain import webhook_endpoint as domain
from flamewire_ledger.domain.identifiers import derived_id, encode, uuid7
from flamewire_ledger.domain.rejection import Malformed, NotFound, Rejection
from flamewire_ledger.domain.rejection import NotAllowed as Refused
from flamewire_ledger.domain.webhook_endpoint import (
    ChangeWebhookEndpoint,
    DeleteWebhookEndpoint,
    ReplayWebhooks,
    RotateWebhookSecret,
    SendTestWebhook,
    WebhookEndpoint,
    webhooks_of,
)
from flamewire_ledger.security.sealing import CannotOpen
from flamewire_ledger.webhooks.addresses import NotAllowed, check_url
from flamewire_ledger.webhooks.catalog import is_known
from flamewire_ledger.webhooks.sign import SECRET_BYTES, secret_from

READ_MODEL: Final = "webhook_endpoints"
_ID_BYTES: Final = 10


async def create(call: Call) -> Answer:
    body: CreateWebhookEndpoint = call.body

    async def build(call: Call) -> Envelope:
        _check_target(call, body.url)
        now = _now(call)
        command = domain.CreateWebhookEndpoint(
            webhooks_id=webhooks_of(call.merchant_id),
            endpoint_id=derived_id("we", now, str(call.command_id)),
            url=body.url,
            event_types=_types(body.event_types),
            description=body.description,
            livemode=call.caller.livemode,
            secret_id=await _keep(call, secret_id, secret),
            at=now,
        )
        return commands.envelope(call.origin, command, lambda it: _answer(it, command.endpoint_id))

    secret_id, secret = _new_secret(call)
    return await _shown_once(call, build, secret_id, secret)


async def rotate(call: Call) -> Answer:
    """Another secret. The one before signs as well for a while, so that receivers can follow."""
    body: RotateBody = call.body

    async def build(call: Call) -> Envelope:
        command = RotateWebhookSecret(
            webhooks_id=webhooks_of(call.merchant_id),
            endpoint_id=call.path["id"],
            secret_id=await _keep(call, secret_id, secret),
            keep_seconds=body.expires_in_seconds,
            at=_now(call),
        )
        return commands.envelope(call.origin, command, lambda it: _answer(it, command.endpoint_id))

    secret_id, secret = _new_secret(call)
    return await _shown_once(call, build, secret_id, secret)


def _new_secret(call: Call) -> tuple[str, str]:
    """What it is called, and what it is."""
    secret_id = encode("ws", uuid7(_now(call), call.parts.entropy(_ID_BYTES)))
    return secret_id, secret_from(call.parts.entropy(SECRET_BYTES))


async def _shown_once(call: Call, build: Build, secret_id: str, secret: str) -> Answer:
    try:
        outcome = await done(call, build)
    except Rejection:
        await call.parts.webhooks.queue.drop_secret(secret_id)  # no event names it
        raise
    answer = answer_to(call, outcome)
    shown = b"null" if outcome.replayed else b'"%s"' % secret.encode()
    return replace(answer, body=b'%s,"secret":%s}' % (answer.body[:-1], shown))


async def _keep(call: Call, secret_id: str, secret: str) -> str:
    """Keep it sealed before the event that names it: an event without its secret would be worse."""
    if await recorded(call) is not None:
        return secret_id  # this is a repeat, and the secret it was about is kept
    webhooks = call.parts.webhooks
    try:
        sealed = webhooks.sealer.seal(secret_id, secret.encode())
    except CannotOpen as error:
        raise Refused(f"the operator of this ledger has to do something first: {error}") from None
    await webhooks.queue.keep_secret(secret_id, sealed)
    return secret_id


async def update(call: Call) -> Answer:
    """Change what is named; the rest stays."""
    return await submit(call, _update)


async def _update(call: Call) -> Envelope:
    body: UpdateWebhookEndpoint = call.body
    if body.url is not None:
        _check_target(call, body.url)
    command = ChangeWebhookEndpoint(
        webhooks_id=webhooks_of(call.merchant_id),
        endpoint_id=call.path["id"],
        url=body.url,
        event_types=None if body.event_types is None else _types(body.event_types),
        description=body.description,
        is_enabled=None if body.status is None else body.status == "enabled",
        at=_now(call),
    )
    return commands.envelope(call.origin, command, lambda it: _answer(it, command.endpoint_id))


async def delete(call: Call) -> Answer:
    """Nothing is sent to it any more, and what waits is canceled."""
    return await submit(call, _delete)


async def _delete(call: Call) -> Envelope:
    endpoint_id = call.path["id"]
    command = DeleteWebhookEndpoint(webhooks_of(call.merchant_id), endpoint_id, _now(call))
    shown = to_json({"id": endpoint_id, "object": "webhook_endpoint", "deleted": True})
    return commands.envelope(call.origin, command, lambda _: shown)


async def send_test(call: Call) -> Answer:
    """A message that says nothing, once."""
    return await submit(call, _send_test)


async def _send_test(call: Call) -> Envelope:
    endpoint_id = call.path["id"]
    command = SendTestWebhook(webhooks_of(call.merchant_id), endpoint_id, _now(call))
    shown = to_json(
        {"object": "webhook_test", "webhook_endpoint_id": endpoint_id, "type": "webhook.test"}
    )
    return commands.envelope(call.origin, command, lambda _: shown)


async def replay(call: Call) -> Answer:
    """Send again what was recorded: one message, or all of a stretch of the log."""
    return await submit(call, _replay)


async def _replay(call: Call) -> Envelope:
    body: ReplayBody = call.body
    now = _now(call)
    after, until = await _stretch(call, body)
    command = ReplayWebhooks(
        webhooks_id=webhooks_of(call.merchant_id),
        endpoint_id=call.path["id"],
        replay_id=derived_id("wrp", now, str(call.command_id)),
        after=after,
        until=until,
        undelivered_only=body.undelivered_only,
        at=now,
    )
    shown = to_json(
        {
            "id": command.replay_id,
            "object": "webhook_replay",
            "webhook_endpoint_id": command.endpoint_id,
            "from_position": after + 1,
            "to_position": until,
            "undelivered_only": body.undelivered_only,
        }
    )
    return commands.envelope(call.origin, command, lambda _: shown)


async def _stretch(call: Call, body: ReplayBody) -> tuple[int, int]:
    """Behind which position, and until which."""
    given = [body.event_id, body.from_position, body.since]
    if sum(it is not None for it in given) != 1:
        raise Malformed("say what to send again: event_id, from_position, or since")
    if body.event_id is not None:
        merchant_id, queue = call.merchant_id, call.parts.webhooks.queue
        position = await queue.position_of(merchant_id, body.event_id)
        if position is None:
            raise NotFound(
                "there is no such message any more: name its position, which it has as `sequence`",
                pointer="/event_id",
            )
        return position - 1, position
    store, partition = call.parts.store, call.partition
    head = await store.head(partition)
    until = head if body.to_position is None else min(body.to_position, head)
    if body.since is not None:
        after = await store.position_at(partition, body.since)
    else:
        assert body.from_position is not None, "it is one of the three"
        after = body.from_position - 1
    if after >= until:
        raise Malformed("nothing is recorded there")
    return after, until


async def get(call: Call) -> Answer:
    row = await endpoint_of(call)
    return Answer(to_json((await _with_standings(call, [row]))[0]))


async def list_all(call: Call) -> Answer:
    query: ListWebhookEndpoints = call.query
    await caught_up(call, READ_MODEL)
    asked = {
        "merchant_id": call.merchant_id,
        "after": query.starting_after or "",
        "limit": query.limit + 1,
    }
    rows = await call.parts.reads.ask(READ_MODEL, "webhook_endpoints", asked)
    shown = await _with_standings(call, rows[: query.limit])
    return Answer(as_list(shown, has_more=len(rows) > query.limit))


async def endpoint_of(call: Call) -> Row:
    """The endpoint that the path names, or a 404."""
    asked = {"merchant_id": call.merchant_id, "endpoint_id": call.path["id"]}

    async def question() -> Row | None:
        rows = await call.parts.reads.ask(READ_MODEL, "webhook_endpoint_by_id", asked)
        return next(iter(rows), None)

    return await find(call, "webhook endpoint", READ_MODEL, question)


async def _with_standings(call: Call, rows: Sequence[Row]) -> list[dict[str, Any]]:
    ids = [row["endpoint_id"] for row in rows]
    standings = await call.parts.webhooks.queue.standings(call.partition, ids)
    return [
        {**_of_row(row, _now(call)), **_standing(standings[row["endpoint_id"]])} for row in rows
    ]


def _standing(standing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "failing_since": time(standing["failing_since"]),
        "last_success_at": time(standing["succeeded_at"]),
        "last_failure_at": time(standing["failed_at"]),
        "pending": standing["waiting"],
    }


def _answer(decision: Decision, endpoint_id: str) -> bytes:
    webhooks: domain.Webhooks = decision.after[next(iter(decision.after))]
    return to_json(_of_state(webhooks.endpoints[endpoint_id]))


def _of_state(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return _view(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        event_types=list(endpoint.event_types),
        description=endpoint.description,
        livemode=endpoint.livemode,
        is_enabled=endpoint.is_enabled,
        disabled_because=endpoint.disabled_because,
        disabled_detail=endpoint.disabled_detail,
        disabled_at=endpoint.disabled_at,
        previous_until=max((it.until for it in endpoint.retiring), default=None),
        created_at=endpoint.created_at,
    )


def _of_row(row: Row, now: datetime) -> dict[str, Any]:
    previous_until = row["previous_until"]
    is_over = previous_until is not None and previous_until <= now
    return _view(
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        event_types=list(row["event_types"]),
        description=row["description"],
        livemode=row["livemode"],
        is_enabled=row["is_enabled"],
        disabled_because=row["disabled_because"],
        disabled_detail=row["disabled_detail"],
        disabled_at=row["disabled_at"],
        previous_until=None if is_over else previous_until,
        created_at=row["created_at"],
    )


def _view(
    *,
    endpoint_id: str,
    url: str,
    event_types: list[str],
    description: str | None,
    livemode: bool,
    is_enabled: bool,
    disabled_because: str | None,
    disabled_detail: str | None,
    disabled_at: datetime | None,
    previous_until: datetime | None,
    created_at: datetime,
) -> dict[str, Any]:
    return {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "url": url,
        "event_types": event_types,
        "description": description,
        "livemode": livemode,
        "status": "enabled" if is_enabled else "disabled",
        "disabled_reason": disabled_because,
        "disabled_detail": disabled_detail,
        "disabled_at": time(disabled_at),
        "previous_secrets_until": time(previous_until),
        "created_at": time(created_at),
    }


def _now(call: Call) -> datetime:
    return call.parts.live.clock.now()


def _check_target(call: Call, url: str) -> None:
    try:
        check_url(url, call.parts.webhooks.reach(call.caller.livemode))
    except NotAllowed as error:
        raise Malformed(str(error), pointer="/url") from None


def _types(given: Sequence[str]) -> tuple[str, ...]:
    for index, pattern in enumerate(given):
        if not is_known(pattern):
            raise Malformed(
                "there is no such type of message: schemas/webhooks has all of them",
                pointer=f"/event_types/{index}",
            )
    return tuple(sorted(set(given)))
