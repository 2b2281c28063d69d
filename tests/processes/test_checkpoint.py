"""Checkpoints and dead letters of processes: in memory and in Postgres alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from flamewire_ledger.processes.checkpoint import (
    Checkpoints,
    DeadLetters,
    MemoryCheckpoints,
    MemoryDeadLetters,
    PostgresCheckpoints,
    PostgresDeadLetters,
)
from flamewire_ledger.processes.reaction import Failure
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.migrate import migrate
from tests.processes.stories import ACCOUNT, PAYMENT, opened, requested, stream


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    await migrate(database_url, partitions=2)
    connections = Connections(database_url, size_max=2)
    yield connections
    await connections.close()


@pytest.fixture(params=["memory", "postgres"])
def checkpoints(request: pytest.FixtureRequest) -> Checkpoints:
    if request.param == "memory":
        return MemoryCheckpoints()
    return PostgresCheckpoints(request.getfixturevalue("connections"))


@pytest.fixture(params=["memory", "postgres"])
def dead_letters(request: pytest.FixtureRequest) -> DeadLetters:
    if request.param == "memory":
        return MemoryDeadLetters()
    return PostgresDeadLetters(request.getfixturevalue("connections"))


async def test_a_process_begins_at_the_beginning(checkpoints: Checkpoints):
    assert await checkpoints.load(0) == {}


async def test_checkpoints_are_kept_by_process_and_partition(checkpoints: Checkpoints):
    await checkpoints.save(0, {"settlement": 5, "reversal": 7})
    await checkpoints.save(1, {"settlement": 2})

    assert await checkpoints.load(0) == {"settlement": 5, "reversal": 7}
    assert await checkpoints.load(1) == {"settlement": 2}


async def test_a_checkpoint_moves_forward_only(checkpoints: Checkpoints):
    await checkpoints.save(0, {"settlement": 9, "reversal": 1})
    await checkpoints.save(0, {"settlement": 5, "reversal": 5})

    assert await checkpoints.load(0) == {"settlement": 9, "reversal": 5}


def failure(position: int, cause: str | None = "broken", stream_id: str = PAYMENT) -> Failure:
    (fact,) = stream(stream_id, requested() if stream_id == PAYMENT else opened())
    return Failure("settlement", replace(fact.recorded, position=position), cause)


async def test_the_first_of_a_stream_that_waits_holds_up_the_others(dead_letters: DeadLetters):
    await dead_letters.park([failure(8, None), failure(4), failure(9, stream_id=ACCOUNT)])

    assert (await dead_letters.parked(0)).waiting == {
        ("settlement", PAYMENT): 4,
        ("settlement", ACCOUNT): 9,
    }
    assert (await dead_letters.parked(1)).waiting == {}


async def test_what_was_handled_waits_no_more(dead_letters: DeadLetters):
    await dead_letters.park([failure(4), failure(8, None)])

    await dead_letters.release("settlement", 0, 4)

    assert (await dead_letters.parked(0)).waiting == {("settlement", PAYMENT): 8}


async def test_a_letter_counts_its_attempts_and_shows_the_last_cause(connections: Connections):
    letters = PostgresDeadLetters(connections)
    await letters.park([failure(4, "first")])
    await letters.park([failure(4, "second")])
    await letters.park([failure(4, None)])

    async with connections.use() as connection:
        rows = await connection.execute(
            "SELECT consumer, position, key, type, cause, attempts FROM dead_letters"
        )
        assert await rows.fetchall() == [
            ("process:settlement", 4, PAYMENT, "payment.requested.v1", "second", 2)
        ]


async def test_what_a_person_discarded_holds_up_nobody_and_is_remembered(
    connections: Connections,
):
    letters = PostgresDeadLetters(connections)
    await letters.park([failure(4), failure(8, None)])
    async with connections.use() as connection:
        await connection.execute("UPDATE dead_letters SET discarded_at = now() WHERE position = 4")

    parked = await letters.parked(0)

    assert parked.waiting == {("settlement", PAYMENT): 8}
    assert parked.discarded == {("settlement", 4)}
    assert await letters.due(0) == [("settlement", 8)]


async def test_a_letter_is_due_again_after_a_while_and_its_followers_are_not(
    connections: Connections,
):
    letters = PostgresDeadLetters(connections)
    await letters.park([failure(4), failure(8, None)])
    assert await letters.due(0) == []

    async with connections.use() as connection:
        await connection.execute("UPDATE dead_letters SET tried_at = now() - interval '1 minute'")

    assert await letters.due(0) == [("settlement", 4)]


async def test_a_database_that_is_away_is_said_to_be():
    nowhere = Connections("postgresql://nobody@127.0.0.1:1/none", size_max=1)

    with pytest.raises(StoreUnavailable):
        await PostgresCheckpoints(nowhere).load(0)
    with pytest.raises(StoreUnavailable):
        await PostgresDeadLetters(nowhere).park([failure(4)])
