"""API keys for the command line: made, listed and ended as commands on their merchant.

A merchant is found by its name and mode: its id is derived from them, so two people who make the
first key of the same merchant at the same time make one merchant.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from flamewire_ledger.commands.decider import Done, Envelope, Facts, Subject
from flamewire_ledger.commands.merchant import MERCHANT
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain import merchant
from flamewire_ledger.domain.identifiers import encode, uuid7
from flamewire_ledger.domain.merchant import (
    CreateApiKey,
    RegisterMerchant,
    RevokeApiKey,
    merchant_id_of,
)
from flamewire_ledger.domain.rejection import NotFound, Rejection
from flamewire_ledger.security.api_keys import SECRET_BYTES, secret_from, sha256_of
from flamewire_ledger.security.scopes import check_scopes
from flamewire_ledger.store.event_store import partition_of
from flamewire_ledger.wiring.api_parts import KEY_REMEMBERED_SECONDS
from flamewire_ledger.wiring.ledger import Ledger

SANDBOX_MERCHANT = "sandbox"
_VISIBLE_SECONDS_MAX = 2.0
_MERCHANTS = ("merchants",)


async def create_key(ledger: Ledger, *, name: str, scopes: tuple[str, ...], livemode: bool) -> str:
    """Make a key, and the merchant if it is new; returns the secret, which is kept nowhere."""
    check_scopes(scopes)
    at = ledger.clock.now()
    merchant_id = merchant_id_of(name, livemode=livemode)
    secret = secret_from(secrets.token_bytes(SECRET_BYTES), livemode=livemode)
    register = RegisterMerchant(merchant_id, name, livemode, at)
    create = CreateApiKey(
        merchant_id=merchant_id,
        key_id=encode("key", uuid7(at, secrets.token_bytes(10))),
        name=name,
        livemode=livemode,
        secret_sha256=sha256_of(secret),
        last_four=secret[-4:],
        scopes=scopes,
        at=at,
    )

    def decide(states: Mapping[str, Any]) -> Facts:
        state = states[merchant_id]
        registered = () if state is not None else merchant.decide(None, register)
        for event in registered:
            state = merchant.evolve(state, event)
        return {merchant_id: (*registered, *merchant.decide(state, create))}

    await _done(ledger, _origin(merchant_id).envelope((Subject(merchant_id, MERCHANT),), decide))
    return secret


async def first_key(ledger: Ledger) -> str | None:
    """The sandbox key of a new ledger; None when the ledger has had one."""
    if not ledger.settings.sandbox:
        return None
    merchant_id = merchant_id_of(SANDBOX_MERCHANT, livemode=False)
    partition = partition_of(merchant_id, ledger.store.partitions)
    if await ledger.store.read_stream(partition, merchant_id, limit=1):
        return None
    return await create_key(ledger, name=SANDBOX_MERCHANT, scopes=("*",), livemode=False)


async def list_keys(ledger: Ledger) -> list[dict[str, object]]:
    """Every key of every merchant, the oldest first."""
    rows: list[dict[str, object]] = []
    after = ""
    while True:
        page = await ledger.reads.api_keys(after=after, limit=100)
        rows += [_shown(row) for row in page.rows]
        if not page.has_more:
            return rows
        after = str(page.rows[-1]["key_id"])


def _shown(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": row["key_id"],
        "merchant": row["merchant_id"],
        "name": row["name"],
        "mode": "live" if row["livemode"] else "test",
        "scopes": list(row["scopes"]),
        "ends_in": row["last_four"],
        "created_at": row["created_at"],
        "revoked_at": row["revoked_at"],
    }


async def revoke_key(ledger: Ledger, key_id: str) -> None:
    """End a key: when this comes back, no process takes it any more. Raises NotFound."""
    rows = await list_keys(ledger)
    found = next((row for row in rows if row["id"] == key_id), None)
    if found is None:
        raise NotFound(f"there is no key {key_id}: `flamewire keys list` shows them")
    merchant_id = str(found["merchant"])
    revoke = RevokeApiKey(merchant_id, key_id, ledger.clock.now())

    def decide(states: Mapping[str, Any]) -> Facts:
        return {merchant_id: merchant.decide(states[merchant_id], revoke)}

    await _done(ledger, _origin(merchant_id).envelope((Subject(merchant_id, MERCHANT),), decide))
    await asyncio.sleep(KEY_REMEMBERED_SECONDS)


def _origin(merchant_id: str) -> Origin:
    command_id: UUID = uuid4()
    return Origin(command_id, merchant_id, "cli", hashlib.sha256(command_id.bytes).digest())


async def _done(ledger: Ledger, envelope: Envelope) -> None:
    """Recorded, and as far as a projector runs, seen by those who look keys up."""
    async with ledger.writing() as writer:
        outcome = await writer.submit(envelope)
    if isinstance(outcome, Rejection):
        raise outcome
    assert isinstance(outcome, Done), "nobody else writes this stream so fast"
    partition = partition_of(envelope.merchant_id, ledger.store.partitions)
    await ledger.reads.wait_for(partition, outcome.position, _MERCHANTS, _VISIBLE_SECONDS_MAX)
