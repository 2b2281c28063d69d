"""What follower and sandbox keep: memory and Postgres keep the same contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.chains.progress import FollowerState, MemoryFollowerState
from flamewire_ledger.chains.sandbox.journal import (
    Entry,
    JournalRow,
    MemorySandboxJournal,
    SandboxJournal,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.chain_records import PostgresFollowerState, PostgresSandboxJournal
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHAIN = "eip155:1"
WEI = Asset("ethereum:ETH", 18)


def transfer(number: int, units: int = 2**255) -> Transfer:
    return Transfer("ethereum", f"0x{number:02x}", number, "0xA", Amount(WEI, units))


def block(height: int) -> Block:
    return Block(height, f"hash {height}", NOON + timedelta(seconds=height))


@pytest.fixture(params=["memory", "postgres"])
async def connections(
    request: pytest.FixtureRequest,
) -> AsyncIterator[Connections | None]:
    if request.param == "memory":
        yield None
        return
    url = request.getfixturevalue("database_url")
    await migrate(url)
    made = Connections(url, size_max=4)
    yield made
    await made.close()


@pytest.fixture
def state(connections: Connections | None) -> FollowerState:
    return PostgresFollowerState(connections) if connections else MemoryFollowerState()


@pytest.fixture
def journal(connections: Connections | None) -> SandboxJournal:
    return PostgresSandboxJournal(connections) if connections else MemorySandboxJournal()


class TestFollowerState:
    async def test_a_chain_that_was_never_followed_has_no_cursor(
        self, state: FollowerState
    ) -> None:
        assert await state.load(CHAIN) == (None, [], [])

    async def test_what_was_saved_is_loaded(self, state: FollowerState) -> None:
        rows = [
            (transfer(1), block(9), NOON, True, None),
            (transfer(2), None, NOON + timedelta(seconds=1), False, 8),
        ]
        blocks = [(9, "a"), (10, "b")]
        await state.save(CHAIN, (10, "b", 3), blocks, 0, rows, [])
        assert await state.load(CHAIN) == ((10, "b", 3), blocks, rows)

    async def test_chains_do_not_see_each_other(self, state: FollowerState) -> None:
        await state.save(
            CHAIN, (1, "a", 0), [(1, "a")], 0, [(transfer(1), None, NOON, False, None)], []
        )
        assert await state.load("eip155:2") == (None, [], [])

    async def test_blocks_above_those_that_are_still_valid_go(self, state: FollowerState) -> None:
        await state.save(CHAIN, (3, "c", 0), [(1, "a"), (2, "b"), (3, "c")], 0, [], [])
        await state.save(CHAIN, (1, "a", 1), [], 0, [], [])
        assert (await state.load(CHAIN))[:2] == ((1, "a", 1), [(1, "a")])
        await state.save(CHAIN, (3, "C", 1), [(2, "B"), (3, "C")], 0, [], [])
        assert (await state.load(CHAIN))[1] == [(1, "a"), (2, "B"), (3, "C")]

    async def test_blocks_below_the_oldest_to_keep_go(self, state: FollowerState) -> None:
        await state.save(CHAIN, (2, "b", 0), [(1, "a"), (2, "b")], 0, [], [])
        await state.save(CHAIN, (3, "c", 0), [(3, "c")], 2, [], [])
        assert (await state.load(CHAIN))[1] == [(2, "b"), (3, "c")]

    async def test_a_transfer_is_replaced_by_its_name(self, state: FollowerState) -> None:
        await state.track(CHAIN, [(transfer(1), None, NOON, False, None)])
        await state.track(CHAIN, [(transfer(1), block(5), NOON, True, None)])
        await state.save(CHAIN, (5, "e", 0), [], 0, [], [])
        assert (await state.load(CHAIN))[2] == [(transfer(1), block(5), NOON, True, None)]

    async def test_a_forgotten_transfer_is_gone(self, state: FollowerState) -> None:
        await state.track(CHAIN, [(transfer(n), None, NOON, False, None) for n in (1, 2)])
        await state.save(CHAIN, (5, None, 0), [], 0, [], [("0x01", 1)])
        cursor, _, rows = await state.load(CHAIN)
        assert cursor == (5, None, 0)
        assert [row[0] for row in rows] == [transfer(2)]


def entry(last: JournalRow | None) -> JournalRow:
    sequence = last[0] + 1 if last else 1
    return Entry(
        sequence,
        transfer(sequence % 100),
        NOON,
        NOON - timedelta(days=1),
        NOON,
        7,
        True,
        8,
        10,
        None,
    ).row


class TestSandboxJournal:
    async def test_what_was_appended_is_read_in_order(self, journal: SandboxJournal) -> None:
        rows = [await journal.append(CHAIN, entry) for _ in range(3)]
        assert list(await journal.read(CHAIN, 0, 10)) == rows
        assert list(await journal.read(CHAIN, 1, 1)) == rows[1:2]
        assert list(await journal.read("eip155:2", 0, 10)) == []
        assert replace(Entry(*rows[0])).transfer.amount.units == 2**255

    async def test_those_who_append_at_once_do_so_one_after_the_other(
        self, journal: SandboxJournal
    ) -> None:
        await asyncio.gather(*(journal.append(CHAIN, entry) for _ in range(20)))
        assert [row[0] for row in await journal.read(CHAIN, 0, 100)] == list(range(1, 21))
