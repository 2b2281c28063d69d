"""A connection keeps its word about durability, and is not kept when its server takes no writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.operations import PostgresDepositIndexes
from tests.services.postgres import database_of


def set_in_database(url: str, name: str, value: str) -> None:
    """What every connection made from now on begins with."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(database_of(url)), sql.Identifier(name), sql.Literal(value)
            )
        )


async def synchronous_commit(connections: Connections) -> str:
    async with connections.use() as connection:
        row = await (await connection.execute("SHOW synchronous_commit")).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
async def no_connections(ledger_url: str) -> AsyncIterator[Connections]:
    """None is open yet."""
    opened = Connections(ledger_url, size_max=1)
    yield opened
    await opened.close()


@pytest.mark.parametrize(("default", "kept"), [("off", "on"), ("remote_apply", "remote_apply")])
async def test_commits_wait_for_the_disk_whatever_the_server_was_set_to(
    no_connections: Connections, ledger_url: str, default: str, kept: str
) -> None:
    set_in_database(ledger_url, "synchronous_commit", default)
    assert await synchronous_commit(no_connections) == kept


async def test_a_server_that_takes_no_writes_any_more_is_left_for_the_one_that_does(
    no_connections: Connections, ledger_url: str
) -> None:
    """As after a failover: the address leads to another server, but only for who connects anew."""
    set_in_database(ledger_url, "default_transaction_read_only", "on")
    indexes = PostgresDepositIndexes(no_connections)
    with pytest.raises(StoreUnavailable, match="standby"):
        await indexes.take("eip155:1")
    set_in_database(ledger_url, "default_transaction_read_only", "off")
    assert await indexes.take("eip155:1") == 0
