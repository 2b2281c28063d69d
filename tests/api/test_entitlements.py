"""Entitlements: what an account may use, as of the last look at the log, without a round trip."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flamewire_ledger.projector.catalog import Catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.entitlements import CREDITS, READ_MODEL, Entitlements, check
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import Append, NewEvent, StreamAppend
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.api.test_usage import account, item, meter, sent
from tests.api.world import NOON, World

NEVER = {"limit": None, "used": None, "remaining": None, "resets_at": None}


async def asked(ledger: World, account_id: str, feature: str) -> dict:
    response = await ledger.get(f"/v1/entitlements/{account_id}/{feature}")
    assert response.status_code == 200, response.text
    names = ("entitled", "reason", "limit", "used", "remaining", "resets_at")
    return {name: response.json()[name] for name in names}


async def grant(ledger: World, account_id: str, **body: object) -> None:
    path = f"/v1/credit_accounts/{account_id}/entitlements"
    response = await ledger.post(path, body)
    assert response.status_code == 200, response.text


async def test_a_flag_is_granted_and_revoked(ledger: World):
    tom = await account(ledger)
    assert await asked(ledger, tom, "archive") == {
        "entitled": False,
        "reason": "not_granted",
        **NEVER,
    }
    await grant(ledger, tom, feature="archive", kind="flag")
    assert (await asked(ledger, tom, "archive"))["entitled"] is True
    path = f"/v1/credit_accounts/{tom}/entitlements/revoke"
    assert (await ledger.post(path, {"feature": "archive"})).json()["granted"] is False
    assert (await asked(ledger, tom, "archive"))["reason"] == "not_granted"
    assert (await ledger.post(path, {"feature": "archive"})).status_code == 404


async def test_a_quantity_is_used_up_and_comes_back_with_the_period(ledger: World):
    calls = await meter(ledger)
    tom = await account(ledger)
    await grant(
        ledger, tom, feature="calls", kind="quantity", meter_id=calls, limit="3", period="day"
    )
    await sent(ledger, [item(tom, f"a{n}") for n in range(2)])
    assert await asked(ledger, tom, "calls") == {
        "entitled": True,
        "reason": "granted",
        "limit": "3",
        "used": "2",
        "remaining": "1",
        "resets_at": "2026-02-01T00:00:00Z",
    }
    await sent(ledger, [item(tom, f"b{n}") for n in range(2)])
    found = await asked(ledger, tom, "calls")
    assert (found["entitled"], found["reason"], found["remaining"]) == (
        False,
        "limit_reached",
        "0",
    )
    ledger.clock.turn(days=1)
    assert (await asked(ledger, tom, "calls"))["used"] == "0"


async def test_credits_are_a_feature_as_long_as_there_are_some(ledger: World):
    tom = await account(ledger)
    await grant(ledger, tom, feature="rpc", kind="credits")
    assert (await asked(ledger, tom, "rpc"))["reason"] == "no_credits"
    body = {
        "amount": "1",
        "source": "granted",
        "expires_at": (NOON + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
    }
    await ledger.post(f"/v1/credit_accounts/{tom}/grants", body)
    found = await asked(ledger, tom, "rpc")
    assert (found["entitled"], found["remaining"]) == (True, "1.000000")
    ledger.clock.turn(hours=2)  # nothing has to be recorded for credits to lapse
    assert (await asked(ledger, tom, "rpc"))["reason"] == "no_credits"


async def test_another_merchants_account_is_none(ledger: World):
    tom = await account(ledger)
    other = ledger.key(await ledger.merchant("other"))
    answer = await ledger.get(f"/v1/entitlements/{tom}/archive", key=other)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"feature": "x", "kind": "quantity"},
        {"feature": "x", "kind": "flag", "limit": "3"},
        {"feature": "x", "kind": "maybe"},
    ],
)
async def test_a_grant_that_makes_no_sense_is_refused(ledger: World, body: dict):
    tom = await account(ledger)
    answer = await ledger.post(f"/v1/credit_accounts/{tom}/entitlements", body)
    assert answer.status_code == 422


GRANTED = (
    b'{"account_id":"ca_tom","feature":"%b","source":"direct","kind":"flag","meter_id":null,'
    b'"limit":null,"period":null,"granted_at":"2026-01-31T12:00:00Z"}'
)


def granted(store: PostgresEventStore, version: int, feature: bytes) -> Append:
    event = NewEvent("entitlement.granted.v1", GRANTED % feature)
    from uuid import uuid4

    return Append(uuid4(), b"", "mer_1", b"{}", [StreamAppend("en_tom", version, [event])])


async def test_a_hot_check_is_no_round_trip_and_never_older_than_a_look(
    read_models_url: str, catalog: Catalog
):
    looks = 0
    async with PostgresEventStore(read_models_url) as store:
        writing, reading = write_pool(read_models_url), read_pool(read_models_url)
        await writing.open()
        await reading.open()
        projector = Projector(writing, store, catalog)
        now = 0.0

        class Counted(Changes):
            async def _ask(self, partition: int, after: int):  # type: ignore[no-untyped-def]
                nonlocal looks
                looks += 1
                return await super()._ask(partition, after)

        changes = tuple(
            Counted(reading, name, streams, lambda: now, age_seconds_max=1)
            for name, streams in ((READ_MODEL, ""), (CREDITS, "ca_"))
        )
        table = Entitlements(reading, changes)  # type: ignore[arg-type]

        async def entitled(feature: str) -> bool:
            known = await table.known(0, "mer_1", "ca_tom")
            known = known or await table.tell(0, "mer_1", "ca_tom")
            return check(known, feature, NOON).entitled

        await store.append(0, [granted(store, 0, b"archive")])
        await projector.catch_up()
        assert await entitled("archive")
        looks = table.asked = 0
        for _ in range(1_000):
            assert await entitled("archive")
        assert (looks, table.asked) == (0, 0)
        await store.append(0, [granted(store, 1, b"traces")])
        await projector.catch_up()
        assert not await entitled("traces")  # within the age that is allowed
        now += 1.1
        assert await entitled("traces")
        # Events that are nobody's business here leave what is known alone.
        table.asked = 0
        other = granted(store, 0, b"x")
        stream = StreamAppend("en_ada", 0, other.streams[0].events)
        await store.append(0, [Append(other.command_id, b"", "mer_1", b"{}", [stream])])
        now += 1.1
        await asyncio.sleep(0)
        assert await entitled("traces")
        assert table.asked == 0
        await reading.close()
        await writing.close()


def test_events_of_entitlements_are_known_to_the_codec():
    assert "entitlement.granted.v1" in Codec().classes
