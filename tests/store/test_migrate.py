"""Migrations run once, in order, forward; what does not fit is an error that says what to do."""

import asyncio

import psycopg
import pytest

from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.migrate import Migration, MigrationError, migrate, migrations
from flamewire_ledger.store.postgres import PostgresEventStore

ONE = Migration(1, "0001_one.sql", "CREATE TABLE one (n int);")
TWO = Migration(2, "0002_two.sql", "CREATE TABLE two (n int);")
BROKEN = Migration(3, "0003_broken.sql", "CREATE TABLE three (n int); SELECT 1/0;")


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall()
    return {name for (name,) in rows}


async def test_each_runs_once(database_url: str):
    assert await migrate(database_url, known=[ONE]) == ["0001_one.sql"]
    assert await migrate(database_url, known=[ONE, TWO]) == ["0002_two.sql"]
    assert await migrate(database_url, known=[ONE, TWO]) == []
    assert tables(database_url) == {"one", "two", "migrations"}


async def test_two_who_migrate_at_once_do_it_once(database_url: str):
    ran = await asyncio.gather(*(migrate(database_url, partitions=2) for _ in range(3)))
    assert sorted(len(names) for names in ran) == [0, 0, len(migrations())]


async def test_one_that_fails_leaves_nothing_of_itself(database_url: str):
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database_url, known=[ONE, BROKEN])
    assert tables(database_url) == {"one", "migrations"}


async def test_a_file_that_changed_after_it_ran_is_an_error(database_url: str):
    await migrate(database_url, known=[ONE])
    changed = Migration(1, "0001_one.sql", "CREATE TABLE one (n bigint);")
    with pytest.raises(MigrationError, match="restore the file"):
        await migrate(database_url, known=[changed])


async def test_a_database_of_a_newer_version_is_an_error(database_url: str):
    await migrate(database_url, known=[ONE, TWO])
    with pytest.raises(MigrationError, match="0002_two"):
        await migrate(database_url, known=[ONE])


async def test_a_store_does_not_open_on_a_database_that_is_behind(database_url: str):
    store = PostgresEventStore(database_url)
    with pytest.raises(MigrationError, match="flamewire migrate"):
        await store.open()
    with pytest.raises(StoreUnavailable, match="not open"):
        _ = store.partitions


async def test_the_number_of_partitions_never_changes(database_url: str):
    await migrate(database_url, partitions=3)
    await migrate(database_url, partitions=5)
    async with PostgresEventStore(database_url) as store:
        assert store.partitions == 3
        assert [await store.head(partition) for partition in range(3)] == [0, 0, 0]


def test_every_migration_has_a_number_of_its_own():
    numbers = [migration.number for migration in migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


async def test_a_server_that_does_not_answer_is_told_as_such():
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await migrate("postgresql://nobody@127.0.0.1:1/none")
