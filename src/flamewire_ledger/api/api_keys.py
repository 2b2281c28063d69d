"""API keys of the caller's own merchant: made, listed, revoked.

The secret is in the first answer and nowhere else, not even in the answer that is stored for a
repeat of the request.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.api_keys import CreateApiKeyBody, ListApiKeys
from flamewire_ledger.api.reading import Row, caught_up
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.streams import events_of
from flamewire_ledger.api.submitting import answer_to, done
from flamewire_ledger.commands import merchant as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.merchant import (
    ApiKeyCreated,
    ApiKeyRevoked,
    CreateApiKey,
    Merchant,
    RevokeApiKey,
)
from flamewire_ledger.domain.rejection import Malformed, NotFound
from flamewire_ledger.security.api_keys import SECRET_BYTES, secret_from, sha256_of
from flamewire_ledger.security.scopes import check_scopes, covers

READ_MODEL: Final = "merchants"


async def create(call: Call) -> Answer:
    secret = secret_from(call.parts.entropy(SECRET_BYTES), livemode=call.caller.livemode)

    async def build(call: Call) -> Envelope:
        return _create(call, secret)

    outcome = await done(call, build)
    answer = answer_to(call, outcome)
    key_id = msgspec.json.decode(answer.body)["id"]
    await call.parts.keys.changed(key_id, call.partition, outcome.position)  # it is used at once
    shown = b"null" if outcome.replayed else b'"%s"' % secret.encode()
    return replace(answer, body=b'%s,"secret":%s}' % (answer.body[:-1], shown))


def _create(call: Call, secret: str) -> Envelope:
    body: CreateApiKeyBody = call.body
    check_scopes(body.scopes)
    if not covers(call.caller.scopes, set(body.scopes)):
        raise Malformed("a key hands on only scopes it has itself", pointer="/scopes")
    now = call.now()
    command = CreateApiKey(
        merchant_id=call.merchant_id,
        key_id=derived_id("key", now, str(call.command_id)),
        name=body.name,
        livemode=call.caller.livemode,
        secret_sha256=sha256_of(secret),
        last_four=secret[-4:],
        scopes=tuple(sorted(set(body.scopes))),
        at=now,
    )

    def answer(decision: Decision) -> bytes:
        made: Merchant = decision.after[call.merchant_id]
        return to_json(_of_fact(made.keys[command.key_id], None))

    return commands.envelope(call.origin, command, answer)


async def revoke(call: Call) -> Answer:
    """End a key at once: any of this merchant's, that which asks for it too. Twice is once."""
    outcome = await done(call, _revoke)
    await call.parts.keys.changed(call.path["id"], call.partition, outcome.position)
    return answer_to(call, outcome)


async def _revoke(call: Call) -> Envelope:
    key_id = call.path["id"]
    made: ApiKeyCreated | None = None
    revoked_at = call.now()
    for event in await events_of(call, call.merchant_id):
        if isinstance(event, ApiKeyCreated) and event.key_id == key_id:
            made = event
        if isinstance(event, ApiKeyRevoked) and event.key_id == key_id:
            revoked_at = event.revoked_at
    if made is None:
        raise NotFound("there is no such API key")
    shown = to_json(_of_fact(made, revoked_at))
    command = RevokeApiKey(call.merchant_id, key_id, call.now())
    return commands.envelope(call.origin, command, lambda _: shown)


def _of_fact(made: ApiKeyCreated, revoked_at: datetime | None) -> dict[str, Any]:
    return _shown(
        key_id=made.key_id,
        name=made.name,
        livemode=made.livemode,
        scopes=list(made.scopes),
        last_four=made.last_four,
        created_at=made.created_at,
        revoked_at=revoked_at,
    )


def _shown(
    *,
    key_id: str,
    name: str,
    livemode: bool,
    scopes: list[str],
    last_four: str,
    created_at: datetime,
    revoked_at: datetime | None,
) -> dict[str, Any]:
    return {
        "id": key_id,
        "object": "api_key",
        "name": name,
        "livemode": livemode,
        "scopes": scopes,
        "ends_in": last_four,
        "created_at": time(created_at),
        "revoked_at": time(revoked_at),
    }


async def list_all(call: Call) -> Answer:
    query: ListApiKeys = call.query
    await caught_up(call, READ_MODEL)
    listing = await call.parts.reads.api_keys(
        merchant_id=call.merchant_id, after=query.starting_after or "", limit=query.limit
    )
    return Answer(as_list([_of_row(row) for row in listing.rows], has_more=listing.has_more))


def _of_row(row: Row) -> dict[str, Any]:
    return _shown(
        key_id=row["key_id"],
        name=row["name"],
        livemode=row["livemode"],
        scopes=list(row["scopes"]),
        last_four=row["last_four"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )
