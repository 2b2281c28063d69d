"""What is asked for most reads what it is about, and not the tables it is in, however large they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.queries import changes
from flamewire_ledger.queries.plans import Plans
from flamewire_ledger.queries.statements import all_queries
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.stories import Stories, record
from tests.queries.test_facts import CATALOG

ROWS = 20_000
ACCOUNTS = [f"ca_{number}" for number in range(20)]
FILL = (
    """INSERT INTO credit_accounts_v1 (account_id, merchant_id, overage_max_units, opened_at, position)
    SELECT 'ca_' || n, 'mer_0', 0, now(), n FROM generate_series(1, {rows}) AS n""",
    """INSERT INTO credit_grants_v1
    SELECT (jsonb_populate_record(known, jsonb_build_object('grant_id', 'gr_' || n, 'account_id', 'ca_' || n))).*
    FROM credit_grants_v1 AS known, generate_series(1, {rows}) AS n
    WHERE known.grant_id = (SELECT min(grant_id) FROM credit_grants_v1)""",
    """INSERT INTO credit_holds_v1
    SELECT 'ho_' || n, 'ca_' || n, 'mer_0', 'held', 5, 0,
        jsonb_build_array(jsonb_build_object('grant_id', 'gr_' || n, 'units', 5)), null, now(), now(), null, n
    FROM generate_series(1, {rows}) AS n""",
    """INSERT INTO events
        (position, recorded_at, partition, version, command_id, stream_id, type, merchant_id, metadata, data)
    SELECT head + n, now(), 0, n, gen_random_uuid(), 'pi_many', 'payment.requested.v1', 'mer_0', '', ''
    FROM partitions, generate_series(1, {rows}) AS n""",
    "UPDATE partitions SET head = head + {rows}",
    "ANALYZE credit_accounts_v1, credit_grants_v1, credit_holds_v1, events",
)


@pytest.fixture
async def url(ledger_url: str) -> str:
    story = Stories(7)
    async with PostgresEventStore(ledger_url) as store, write_pool(ledger_url) as writing:
        await record(store, [*story.told, *story.tell(600)])
        await rebuild(writing, store, CATALOG.get("credit_balance"))
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        connection.execute("SET search_path = read_models, public")
        for statement in FILL:
            connection.execute(statement.format(rows=ROWS))  # type: ignore[arg-type]
    return ledger_url


def rows_read(url: str, sql: str, parameters: Mapping[str, object], tables: str) -> float:
    """By the plan that is made once for all parameters, from the tables whose names begin so."""
    names = list(parameters)
    for place, name in enumerate(names, 1):
        sql = sql.replace(f"%({name})s", f"${place}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = read_models, public")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(f"PREPARE question AS {sql}")  # type: ignore[arg-type]
        given = ", ".join(psycopg.sql.Literal(parameters[name]).as_string() for name in names)
        explain = f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) EXECUTE question ({given})"
        ((told,),) = connection.execute(explain).fetchall()  # type: ignore[arg-type]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in _nodes(told[0]["Plan"])
        if re.match(tables, node.get("Relation Name", "")) and "Bitmap" not in node["Node Type"]
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


async def test_facts_are_found_by_their_accounts(url: str):
    parameters = {
        "account_ids": ACCOUNTS,
        "merchant_ids": ["mer_0"] * len(ACCOUNTS),
        "grants_max": 1_000,
    }
    sql = all_queries()["credit_accounts_as_booked"].sql
    assert 0 < rows_read(url, sql, parameters, "credit_") <= 5 * len(ACCOUNTS)


async def test_a_look_reads_what_is_new_in_the_log(url: str):
    with psycopg.connect(url) as connection:
        ((head,),) = connection.execute("SELECT head FROM partitions").fetchall()
    parameters = {
        "partition": 0,
        "after": head - 10,
        "events_max": changes.EVENTS_MAX,
        "streams": "ca_",
        "name": "credit_balance",
    }
    sql = changes._SQL["look"].sql
    assert head > ROWS
    assert 0 < rows_read(url, sql, parameters, "events") <= 10


async def test_a_plan_that_was_made_for_a_small_table_does_not_stay(ledger_url: str):
    clock = iter((0.0, 9.0, 11.0, 12.0))
    plans = Plans(seconds_max=10, clock=lambda: next(clock))
    question = "SELECT word FROM growing WHERE number = %s"
    with psycopg.connect(ledger_url, autocommit=True) as other:
        other.execute("CREATE TABLE growing (number bigint PRIMARY KEY, word text NOT NULL)")
        other.execute("ALTER TABLE growing SET (autovacuum_enabled = false)")
        other.execute("INSERT INTO growing VALUES (1, 'one')")
        other.execute("ANALYZE growing")
        async with await psycopg.AsyncConnection.connect(ledger_url, autocommit=True) as connection:
            for _ in range(8):  # Postgres keeps the plan of the sixth time, and of all that follow
                await connection.execute(question, [1], prepare=True)
            other.execute(
                "INSERT INTO growing SELECT n, 'word' FROM generate_series(2, 50000) AS n"
            )

            async def plan() -> str:
                await plans.forget_old(connection)
                cursor = await connection.execute("SELECT name FROM pg_prepared_statements")
                (name,) = await cursor.fetchone() or ("",)
                cursor = await connection.execute(f"EXPLAIN EXECUTE {name} (7)")
                return " ".join(line for (line,) in await cursor.fetchall())

            assert "Seq Scan" in await plan()
            assert "Seq Scan" in await plan()
            assert "Index Scan" in await plan()
