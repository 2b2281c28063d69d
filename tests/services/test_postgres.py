"""The Postgres harness does what tests rely on."""

import psycopg
import pytest

from tests.services.postgres import Databases, PrivatePostgres, database_of


def test_each_test_has_an_empty_database_of_its_own(database_url: str):
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone()
    assert tables == (0,)


def test_a_ledger_of_the_test_s_own_has_the_schema_and_no_events(ledger_url: str):
    with psycopg.connect(ledger_url) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_a_database_made_from_a_template_has_what_the_template_has(databases: Databases):
    template = databases.create()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE marker (n int)")
    copy = databases.create(template=database_of(template))
    with psycopg.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM marker").fetchone() == (0,)


def test_a_dropped_database_is_gone_even_with_somebody_connected(databases: Databases):
    url = databases.create()
    with psycopg.connect(url):
        databases.drop(url)
        databases.wait_for_drops()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_what_a_killed_run_left_is_swept_up(postgres_server: PrivatePostgres):
    databases = Databases(postgres_server.url)
    ours = databases.create()
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE flamewire_test_999999999_1")
        databases.sweep()
        rows = connection.execute("SELECT datname FROM pg_database").fetchall()
    names = {row[0] for row in rows}
    assert database_of(ours) in names
    assert "flamewire_test_999999999_1" not in names
    databases.close()


def test_what_was_committed_survives_the_killing_of_the_server(postgres_server: PrivatePostgres):
    url = postgres_server.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert postgres_server.start() == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
