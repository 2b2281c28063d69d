"""What was acknowledged is looked up; whatever is missing, twice or otherwise than asked for is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
import pytest

from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.load.plan import Result, longs
from scripts.benchmarks.load.verify import (
    NotAsAcknowledged,
    Verified,
    lag_of,
    require_sound,
    verify,
    wait_until_projected,
)
from scripts.benchmarks.measuring import prepared
from scripts.benchmarks.running import Child, api_only
from scripts.benchmarks.servers import postgres_server
from tests.benchmarks.conftest import SMALL
from tests.services.postgres import Databases, with_database


@dataclass(frozen=True, slots=True)
class Loaded:
    """A database after a load, what was acknowledged, and the position before it."""

    databases: Databases
    template: str
    results: list[Result]
    after: int

    def check(self, url: str) -> Verified:
        return verify(url, self.results, after=self.after, read_models=True)


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with postgres_server() as server:
        with api_only(server=server) as ledger:
            session = prepared(ledger, SMALL)
            for work, batch in (("consume", 1), ("consume_batch", 20), ("payment_batch", 10)):
                session.load("", session.plan(work, batch=batch, connections=2))  # type: ignore[arg-type]
            projector = Child(["flamewire_ledger", "serve", "projector"], ledger.environment)
            try:
                wait_until_projected(server.url, 60)
            finally:
                projector.stop()
        # From another database: nobody may be connected to the one that is copied.
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE beside")
        databases = Databases(with_database(server.url, "beside"))
        yield Loaded(databases, "postgres", session.results, session.after)
        databases.close()


@pytest.fixture
def copied(loaded: Loaded) -> Iterator[str]:
    """A copy of that database, to be spoilt."""
    url = loaded.databases.create(template=loaded.template)
    yield url
    loaded.databases.drop(url)


def test_a_run_that_is_all_there_is_verified(loaded: Loaded, copied: str):
    acknowledged = sum(result.acknowledged for result in loaded.results)
    assert loaded.check(copied) == Verified(acknowledged, 0)
    assert acknowledged > 30


# Of what the load did: the API notes prices of its own accord, and may do so behind it.
LAST_EVENT = "(SELECT max(position) FROM events WHERE type NOT LIKE 'price.%')"
LAST_COMMAND = f"(SELECT max(position) FROM commands WHERE position <= {LAST_EVENT})"
# Each is something that must not be, and the check that has to find it.
PLANTED = {
    "command_missing": f"DELETE FROM commands WHERE position = {LAST_COMMAND}",
    "position_wrong": f"UPDATE commands SET position = position - 1 WHERE position = {LAST_COMMAND}",
    "events_wrong": f"DELETE FROM events WHERE position = {LAST_EVENT}",
    "position_missing": f"DELETE FROM events WHERE position = {LAST_EVENT}",
    "event_unasked": "INSERT INTO events SELECT position + 1, recorded_at, partition, version + 1,"
    " gen_random_uuid(), stream_id, 'credit_account.consumed.v1', merchant_id, metadata, data"
    " FROM events ORDER BY position DESC LIMIT 1",
    "event_altered": "UPDATE events SET data = convert_to(regexp_replace(convert_from(data, 'UTF8'),"
    ' \'"units":"[0-9]+"\', \'"units":"77"\'), \'UTF8\') WHERE position ='
    " (SELECT max(position) FROM events WHERE type = 'credit_account.consumed.v1')",
    "balance_wrong": "UPDATE read_models.credit_accounts_v1 SET consumed_units = consumed_units + 1,"
    " available_units = available_units - 1",
    "entries_wrong": "DELETE FROM read_models.credit_entries_v1 WHERE position ="
    " (SELECT max(position) FROM read_models.credit_entries_v1)",
    "payment_wrong": "DELETE FROM read_models.payment_status_v1 WHERE payment_id ="
    " (SELECT max(payment_id) FROM read_models.payment_status_v1)",
}


@pytest.mark.parametrize("check", PLANTED)
def test_what_is_planted_is_found(loaded: Loaded, copied: str, check: str):
    with psycopg.connect(copied) as connection:
        assert connection.execute(PLANTED[check].encode()).rowcount > 0
    with pytest.raises(NotAsAcknowledged, match=check):
        loaded.check(copied)


def test_an_entry_twice_is_found(loaded: Loaded, copied: str):
    with psycopg.connect(copied) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE one AS SELECT * FROM read_models.credit_entries_v1"
            " ORDER BY position DESC LIMIT 1"
        )
        connection.execute("UPDATE one SET position = position + 1000000")
        connection.execute("INSERT INTO read_models.credit_entries_v1 SELECT * FROM one")
    with pytest.raises(NotAsAcknowledged, match="entries_wrong"):
        loaded.check(copied)


def test_two_answers_about_one_command_are_found(loaded: Loaded, copied: str):
    single = loaded.results[0]
    twice = msgspec.structs.replace(
        single, requests=single.requests[:8] * 2, positions=single.positions[:8] * 2
    )
    with pytest.raises(NotAsAcknowledged, match="acknowledged_twice"):
        verify(copied, [twice], after=loaded.after, read_models=False)


def test_a_command_nobody_was_answered_about_may_be_there_once(loaded: Loaded, copied: str):
    single, *others = loaded.results
    last = longs(single.requests)[-1]
    unanswered = msgspec.structs.replace(
        single, requests=single.requests[:-8], positions=single.positions[:-8], abandoned=[last]
    )
    found = verify(copied, [unanswered, *others], after=loaded.after, read_models=True)
    assert found.found_unanswered == 1
    never = msgspec.structs.replace(single, abandoned=[10**9])
    assert loaded_with(loaded, never, copied).found_unanswered == 0


def loaded_with(loaded: Loaded, first: Result, url: str) -> Verified:
    return verify(url, [first, *loaded.results[1:]], after=loaded.after, read_models=True)


def test_lag_is_how_long_the_oldest_event_waits(copied: str):
    with psycopg.connect(copied, autocommit=True) as connection:
        assert lag_of(connection).events == 0
        connection.execute(
            "UPDATE projection_checkpoints SET position = position - 5 WHERE name = 'credit_balance'"
        )
        connection.execute("UPDATE events SET recorded_at = recorded_at - interval '1 hour'")
        lag = lag_of(connection)
        assert lag.events == 5
        assert lag.seconds > 3_600


@pytest.mark.parametrize(
    "changed", [{"refused": {"x": 1}}, {"dropped_requests": 1}, {"requests": b"", "positions": b""}]
)
def test_an_unsound_run_has_no_figure(loaded: Loaded, changed: dict[str, Any]):
    require_sound(loaded.results[0])
    with pytest.raises(BenchmarkFailed):
        require_sound(msgspec.structs.replace(loaded.results[0], **changed))
