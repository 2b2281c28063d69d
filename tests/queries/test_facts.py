"""What is kept in Redis is given out only when Postgres would say the same, whatever happens in between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis.asyncio

from flamewire_ledger.domain import credit_account as domain
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    GrantCredits,
    OpenCreditAccount,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.queries import credit_account, database
from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.credit_account import ask_facts, row_at
from flamewire_ledger.queries.database import ReadPool, read_pool
from flamewire_ledger.queries.facts import Facts
from flamewire_ledger.queries.redis_shelf import RedisShelf
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.stories import NOON, Stories, Told, record
from tests.services.redis import PrivateRedis

CATALOG = load_catalog(Codec().classes)
MERCHANT, ACCOUNT = "mer_a", "ca_a"


@dataclass
class Ledger:
    """A log, the read model of credits, and one account in it, all in Postgres."""

    store: PostgresEventStore
    projector: Projector
    pool: ReadPool
    writing: WritePool
    url: str
    account: Any = None
    told: list[Told] = field(default_factory=list)

    async def say(self, command: Any, *, projected: bool = True) -> int:
        """What a command on the account leads to is recorded; the position."""
        facts = domain.decide(self.account, command)
        for fact in facts:
            self.account = domain.evolve(self.account, fact)
        await record(self.store, [Told(MERCHANT, ACCOUNT, fact) for fact in facts])
        if projected:
            await self.projector.catch_up()
        return await self.store.head(0)

    async def consume(self, *, projected: bool = True) -> int:
        return await self.say(ConsumeCredits(ACCOUNT, Amount(CREDIT, 1), NOON), projected=projected)

    def facts(self, shelf: RedisShelf | None, *, age_seconds_max: float = 0) -> Facts:
        """As one API process has them. With an age of 0, each look at the log is a new one."""
        changes = Changes(
            self.pool, "credit_balance", "ca_", time.monotonic, age_seconds_max=age_seconds_max
        )
        asks = lambda subjects: ask_facts(self.pool, subjects)  # noqa: E731
        return Facts(asks, credit_account.QUESTION, None if shelf is None else (changes, shelf))


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with (
        PostgresEventStore(ledger_url) as store,
        write_pool(ledger_url) as writing,
        read_pool(ledger_url) as reading,
    ):
        projector = Projector(writing, store, CATALOG)
        made = Ledger(store, projector, reading, writing, ledger_url)
        await made.say(OpenCreditAccount(ACCOUNT, "team-7", "Team", NOON), projected=False)
        await made.say(GrantCredits(ACCOUNT, "gr_a", Amount(CREDIT, 1_000), "granted", NOON))
        yield made


@pytest.fixture
async def shelf(redis_url: str, redis_prefix: str) -> AsyncIterator[RedisShelf]:
    async with shelf_in(redis_url, redis_prefix) as made:
        yield made


@asynccontextmanager
async def shelf_in(url: str, prefix: str = "test:") -> AsyncIterator[RedisShelf]:
    made = RedisShelf(url, time.monotonic, prefix=prefix, answer_seconds_max=10)
    yield made
    await made.aclose()


async def cached(facts: Facts, position: int = 0) -> bytes | None:
    return await facts.cached(0, MERCHANT, ACCOUNT, position)


async def read(facts: Facts) -> bytes:
    found = await facts.read(0, MERCHANT, ACCOUNT)
    assert found is not None
    return found


def available(facts: bytes) -> int:
    return int(row_at(facts, NOON)["available_units"])


async def test_what_was_read_is_there_for_every_process(ledger: Ledger, shelf: RedisShelf):
    here, there = ledger.facts(shelf), ledger.facts(shelf)
    assert await cached(here) is None
    assert available(await read(here)) == 1_000
    kept = await cached(there)
    assert kept is not None
    assert available(kept) == 1_000


async def test_a_hundred_reads_of_what_is_kept_ask_postgres_next_to_nothing(
    ledger: Ledger, shelf: RedisShelf, monkeypatch: pytest.MonkeyPatch
):
    facts = ledger.facts(shelf, age_seconds_max=60)
    await read(facts)
    asked: Counter[str] = Counter()
    execute = database.execute

    async def counted(pool: Any, sql: str, *rest: Any, **more: Any) -> Any:
        asked[sql] += 1
        return await execute(pool, sql, *rest, **more)

    for module in ("credit_account", "changes", "database"):
        monkeypatch.setattr(f"flamewire_ledger.queries.{module}.execute", counted)
    for _ in range(100):
        assert await cached(facts) is not None
    assert asked.total() == 0
    await read(facts)
    assert asked.total() == 1, "the count counts"


async def test_a_change_is_known_from_the_log_before_the_read_model_has_it(
    ledger: Ledger, shelf: RedisShelf
):
    facts = ledger.facts(shelf)
    await read(facts)
    await ledger.consume(projected=False)
    assert await cached(facts) is None
    assert available(await read(facts)) == 1_000, "Postgres has no more"
    assert await cached(facts) is None, "and that is not kept as if it were all"
    await ledger.projector.catch_up()
    assert available(await read(facts)) == 999
    kept = await cached(facts)
    assert kept is not None
    assert available(kept) == 999


async def test_a_position_is_looked_for_in_the_log(ledger: Ledger, shelf: RedisShelf):
    facts = ledger.facts(shelf, age_seconds_max=60)
    await read(facts)
    position = await ledger.consume(projected=False)
    assert await cached(facts) is not None, "the last look may be a minute old here"
    assert await cached(facts, position) is None
    await ledger.projector.catch_up()
    await read(facts)
    assert await cached(facts, position) is not None
    assert await cached(facts, position + 1) is None, "nobody has seen that yet"


async def test_what_was_read_behind_a_write_of_ones_own_is_kept_for_the_next(
    ledger: Ledger, shelf: RedisShelf
):
    facts = ledger.facts(shelf, age_seconds_max=60)
    await read(facts)
    position = await ledger.consume()
    assert await cached(facts, position) is None
    await read(
        facts
    )  # its look was before the read model had come there: the rows say it themselves
    kept = await cached(facts, position)
    assert kept is not None
    assert available(kept) == 999


async def test_changes_of_others_leave_it_as_it_is(ledger: Ledger, shelf: RedisShelf):
    facts = ledger.facts(
        shelf, age_seconds_max=60
    )  # a position that is ahead of the look is a reason for another
    await read(facts)
    story = Stories(3)
    await record(ledger.store, [*story.told, *story.tell(50)])
    assert await cached(facts, await ledger.store.head(0)) is not None


async def test_another_merchants_account_is_not_there(ledger: Ledger, shelf: RedisShelf):
    facts = ledger.facts(shelf)
    await read(facts)
    assert await facts.cached(0, "mer_b", ACCOUNT, 0) is None
    assert await facts.read(0, "mer_b", ACCOUNT) is None
    assert await facts.cached(0, "mer_b", ACCOUNT, 0) is None


async def test_a_cache_that_was_emptied_is_filled_again(ledger: Ledger, redis_server: PrivateRedis):
    async with (
        shelf_in(redis_server.url) as shelf,
        redis.asyncio.Redis.from_url(redis_server.url) as client,
    ):
        facts = ledger.facts(shelf)
        await read(facts)
        await client.flushall()
        assert await cached(facts) is None
        await read(facts)
        assert await cached(facts) is not None


async def test_what_redis_brings_back_from_before_is_not_given_out(
    ledger: Ledger, redis_server: PrivateRedis
):
    async with (
        shelf_in(redis_server.url) as shelf,
        redis.asyncio.Redis.from_url(redis_server.url) as client,
    ):
        here, there = ledger.facts(shelf), ledger.facts(shelf)
        await read(here)
        (key,) = await client.keys("*")
        old = await client.get(key)
        await ledger.consume()
        await read(here)
        await client.set(key, old)  # a replica that lagged, or yesterday's snapshot
        assert await cached(here) is None
        assert await cached(there) is None, "a process that knew nothing of it before"
        assert available(await read(there)) == 999
        assert await cached(here) is not None


async def test_a_redis_that_dies_on_the_way_is_nobodys_fault(
    ledger: Ledger, redis_server: PrivateRedis
):
    async with shelf_in(redis_server.url) as shelf:
        facts = ledger.facts(shelf)
        await read(facts)
        redis_server.kill()
        await ledger.consume()
        for _ in range(3):
            assert await cached(facts) is None
            assert available(await read(facts)) == 999


async def test_a_rebuild_begins_anew(ledger: Ledger, shelf: RedisShelf):
    facts = ledger.facts(shelf)
    await read(facts)
    await rebuild(ledger.writing, ledger.store, CATALOG.get("credit_balance"))
    assert await cached(facts) is None
    await read(facts)
    assert await cached(facts) is not None


async def test_rows_that_lack_an_event_are_not_kept(ledger: Ledger, shelf: RedisShelf):
    facts = ledger.facts(shelf)
    with psycopg.connect(ledger.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO dead_letters (consumer, partition, position, key, stream_id, type)"
            " VALUES ('projection:credit_balance', 0, 2, %s, %s, 'credit_account.granted.v1')",
            (ACCOUNT, ACCOUNT),
        )
        await read(facts)
        assert await cached(facts) is None
        connection.execute("DELETE FROM dead_letters")
        await read(facts)
        assert await cached(facts) is not None


async def test_a_log_that_is_another_one_begins_anew(
    ledger: Ledger, shelf: RedisShelf, monkeypatch: pytest.MonkeyPatch
):
    """After a restore the same positions may mean other events."""
    facts = ledger.facts(shelf)
    await read(facts)
    ask = Changes._ask

    async def elsewhere(changes: Changes, partition: int, after: int) -> Any:
        rows = await ask(changes, partition, after)
        return [(*row[:3], "another epoch", *row[4:]) for row in rows]

    monkeypatch.setattr(Changes, "_ask", elsewhere)
    assert await cached(facts) is None
    await read(facts)
    assert await cached(facts) is not None


async def test_what_lies_further_back_than_anybody_looked_counts_as_changed(
    ledger: Ledger, shelf: RedisShelf, monkeypatch: pytest.MonkeyPatch
):
    await read(ledger.facts(shelf))
    monkeypatch.setattr("flamewire_ledger.queries.changes.EVENTS_MAX", 5)
    story = Stories(3)
    await record(ledger.store, [*story.told, *story.tell(50)])
    facts = ledger.facts(shelf)
    assert await cached(facts) is None
    await ledger.projector.catch_up()
    await read(facts)
    assert await cached(facts) is not None


async def test_what_many_changes_pushed_out_counts_as_changed(
    ledger: Ledger, shelf: RedisShelf, monkeypatch: pytest.MonkeyPatch
):
    facts = ledger.facts(shelf)
    await read(facts)
    await ledger.consume(projected=False)
    assert await cached(facts) is None
    monkeypatch.setattr("flamewire_ledger.queries.changes.STREAMS_MAX", 1)
    story = Stories(3)
    await record(ledger.store, [*story.told, *story.tell(200)])
    assert len(story.accounts) > 1
    assert await cached(facts) is None, "its change is forgotten, and not that there were some"


@pytest.mark.parametrize("is_cached", [False, True])
async def test_accounts_are_as_the_domain_has_them_at_any_time(
    ledger: Ledger, shelf: RedisShelf, is_cached: bool
):
    facts = ledger.facts(shelf if is_cached else None)
    story, hits = Stories(23), 0
    await record(ledger.store, story.told)
    for _ in range(4):
        await record(ledger.store, story.tell(120))
        await ledger.projector.catch_up()
        for account_id, account in story.accounts.items():
            subject = (0, story.owner[account_id], account_id)
            told = await facts.read(*subject)
            kept = await facts.cached(*subject, 0)
            hits += kept is not None
            assert told is not None
            assert kept in (None, told)
            for now in (story.now, story.now + timedelta(seconds=900), *_ends(account)):
                _agrees(told, account, now)
    assert bool(hits) is is_cached


def _ends(account: domain.CreditAccount) -> set[datetime]:
    """The moments at which the clock does something to it."""
    grants = {grant.terms.expires_at for grant in account.grants}
    return {at for at in grants | {hold.expires_at for hold in account.holds.values()} if at}


def _agrees(told: bytes, account: domain.CreditAccount, now: datetime) -> None:
    row, expected = row_at(told, now), domain.balance(account, now)
    assert credit_account.available(told).units(now) == expected.available.units
    for name in ("available", "held", "granted", "consumed", "expired", "owed"):
        assert row[f"{name}_units"] == getattr(expected, name).units, name
    assert row["reversed_units"] == expected.taken_back.units
    burning = [it["grant_id"] for it in row["grants"] if it["remaining_units"]]
    assert burning == [
        grant.terms.grant_id
        for grant in domain.grants_in_burn_order(account, now)
        if grant.remaining and not grant.is_over(now)
    ]
    assert all(it["granted_at"].tzinfo == UTC for it in row["grants"])
