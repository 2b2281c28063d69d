"""A balance is answered the same from Redis as from Postgres: over HTTP, with the log and both in earnest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx
import pytest
import redis.asyncio

from flamewire_ledger.api.app import create_app
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.projector.catalog import Catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.queries.redis_shelf import RedisShelf
from flamewire_ledger.queries.shelf import Age
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.api.conformity import check
from tests.api.world import World, world
from tests.services.redis import PrivateRedis

Trouble = Literal["none", "killed", "flushed", "stale"]


class CountedShelf(RedisShelf):
    """Counts what it had."""

    hits = 0

    async def get(self, key: str) -> tuple[Age, bytes] | None:
        found = await super().get(key)
        self.hits += found is not None
        return found


@dataclass
class Shop:
    """The same ledger behind three processes: two share a Redis, the third has none."""

    made: World
    projector: Projector
    shelves: list[CountedShelf]
    cached: list[httpx.AsyncClient]
    plain: httpx.AsyncClient
    sent: int = 0
    keys: dict[str, str] = field(default_factory=dict)

    async def post(self, path: str, body: Any, *, to: int = 0, projected: bool = True) -> Any:
        self.sent += 1
        headers = {**self.headers(), "Idempotency-Key": f"key-{self.sent}"}
        response = await self.cached[to].post(path, json=body, headers=headers)
        assert response.is_success, response.text
        if projected:
            await self.projector.catch_up()
        return response.json()

    def headers(self, key: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {key or self.made.secret}"}

    async def get(self, path: str, *, at: int = 0, key: str = "", **query: Any) -> httpx.Response:
        return await self.cached[at].get(path, headers=self.headers(key), params=query)

    async def same_everywhere(self, path: str) -> dict[str, Any]:
        """What every process says, twice: from Postgres and from Redis."""
        expected = await self.plain.get(path, headers=self.headers())
        for _ in range(2):
            for at in range(len(self.cached)):
                answer = await self.get(path, at=at)
                assert (answer.status_code, answer.content) == (200, expected.content)
        body: dict[str, Any] = expected.json()
        return body


@pytest.fixture
async def shop(
    read_models_url: str, catalog: Catalog, redis_server: PrivateRedis
) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack, world() as made:
        store = await stack.enter_async_context(PostgresEventStore(read_models_url))
        writing = await stack.enter_async_context(write_pool(read_models_url))
        reading = await stack.enter_async_context(read_pool(read_models_url, connections_max=3))
        shelves: list[CountedShelf] = []
        clients = []
        for is_cached in (True, True, False):
            reads = ReadModels(reading)
            if is_cached:
                shelf = CountedShelf(redis_server.url, time.monotonic, answer_seconds_max=10)
                stack.push_async_callback(shelf.aclose)
                shelves.append(shelf)

                def cache(name: str, streams: str, shelf: CountedShelf = shelf) -> Any:
                    looks = Changes(reading, name, streams, time.monotonic, age_seconds_max=0)
                    return looks, shelf

                reads = ReadModels(reading, cache)
            clients.append(await stack.enter_async_context(_process(made, store, reads)))
        projector = Projector(writing, store, catalog)
        yield Shop(made, projector, shelves, clients[:2], clients[2])


@asynccontextmanager
async def _process(
    made: World, store: PostgresEventStore, reads: ReadModels
) -> AsyncIterator[httpx.AsyncClient]:
    writer = Writer(store, Codec())
    running = asyncio.create_task(writer.run())
    app = create_app(replace(made.parts, store=store, writer=writer, reads=reads))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ledger", event_hooks={"response": [check]}
    ) as client:
        yield client
    writer.stop()
    await running


async def account(shop: Shop) -> str:
    made = await shop.post("/v1/credit_accounts", {"external_id": "team-7"})
    path = f"/v1/credit_accounts/{made['id']}"
    await shop.post(f"{path}/grants", {"amount": "10", "source": "granted"})
    return path


@pytest.mark.parametrize("trouble", ["none", "killed", "flushed", "stale"])
async def test_every_process_says_the_same_whatever_redis_goes_through(
    shop: Shop, redis_server: PrivateRedis, trouble: Trouble
):
    path = await account(shop)
    soon = (shop.made.clock.now().replace(microsecond=0)).isoformat().replace("12:00", "12:10")
    await shop.same_everywhere(path)
    hits = sum(shelf.hits for shelf in shop.shelves)
    assert hits >= 3
    counted = (await shop.made.meters.render()).decode()
    assert f'flamewire_facts_read_total{{source="cache"}} {hits}.0' in counted
    assert 'flamewire_facts_read_total{source="postgres"} 2.0' in counted
    client = redis.asyncio.Redis.from_url(redis_server.url)
    old = {key: await client.get(key) for key in await client.keys("*")}
    assert old
    await shop.post(f"{path}/consume", {"amount": "3"})
    await shop.same_everywhere(path)
    match trouble:
        case "killed":
            redis_server.kill()
        case "flushed":
            await client.flushall()
        case "stale":
            await client.mset(old)
        case "none":
            pass
    await client.aclose()
    shown = await shop.same_everywhere(path)
    assert shown["balance"]["available"] == "7.000000"
    await shop.post(f"{path}/holds", {"amount": "2", "expires_in_seconds": 60}, to=1)
    gift = {"amount": "5", "source": "promotion", "expires_at": soon}
    await shop.post(f"{path}/grants", gift, to=1)
    shown = await shop.same_everywhere(path)
    assert (shown["balance"]["available"], shown["balance"]["held"]) == ("10.000000", "2.000000")


async def test_the_clock_goes_on_over_what_is_kept(shop: Shop):
    path = await account(shop)
    now = shop.made.clock.now()
    soon = now.replace(minute=10).isoformat()
    await shop.post(f"{path}/grants", {"amount": "5", "source": "promotion", "expires_at": soon})
    await shop.post(f"{path}/holds", {"amount": "2", "expires_in_seconds": 60})
    balances = []
    for seconds in (0, 59, 1, 539, 1):
        shop.made.clock.turn(seconds=seconds)
        balance = (await shop.same_everywhere(path))["balance"]
        balances.append((balance["available"], balance["held"], balance["expired"]))
    assert balances == [
        ("13.000000", "2.000000", "0.000000"),
        ("13.000000", "2.000000", "0.000000"),
        ("15.000000", "0.000000", "0.000000"),
        ("15.000000", "0.000000", "0.000000"),
        ("10.000000", "0.000000", "5.000000"),
    ]
    assert sum(shelf.hits for shelf in shop.shelves) >= 15, "all but the first from Redis"


async def test_whoever_wrote_reads_what_was_written(shop: Shop):
    path = await account(shop)
    await shop.same_everywhere(path)
    written = await shop.post(f"{path}/consume", {"amount": "3"}, projected=False)
    reading = asyncio.create_task(shop.get(path))
    await asyncio.sleep(0.1)
    assert not reading.done(), "it waits for the read model, and takes nothing older from Redis"
    elsewhere = asyncio.create_task(shop.get(path, at=1, min_position=written["position"]))
    await shop.projector.catch_up()
    for answer in (await reading, await elsewhere):
        assert answer.json()["balance"]["available"] == "7.000000"


async def test_a_position_that_is_not_reached_is_503_with_a_cache_too(shop: Shop):
    path = await account(shop)
    await shop.same_everywhere(path)
    answer = await shop.get(path, min_position=10_000)
    assert (answer.status_code, answer.json()["code"]) == (503, "projection_behind")


async def test_what_is_kept_of_one_merchant_is_not_there_for_another(shop: Shop):
    path = await account(shop)
    await shop.same_everywhere(path)
    stranger = shop.made.key(await shop.made.merchant("other"))
    for at in (0, 1):
        assert (await shop.get(path, at=at, key=stranger)).status_code == 404
    assert (await shop.get(path)).status_code == 200
