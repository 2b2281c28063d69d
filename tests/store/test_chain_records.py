"""What chains want kept, in Postgres as in memory."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flamewire_ledger.chains.progress import FollowerState, MemoryFollowerState
from flamewire_ledger.chains.sandbox.journal import (
    JournalRow,
    MemorySandboxJournal,
    SandboxJournal,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.chain_records import PostgresFollowerState, PostgresSandboxJournal

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ETH = Asset("ethereum:ETH", 18)
CHAIN = "eip155:1"


@pytest.fixture(params=["memory", "postgres"])
def state(request: pytest.FixtureRequest) -> FollowerState:
    if request.param == "memory":
        return MemoryFollowerState()
    return PostgresFollowerState(request.getfixturevalue("connections"))


@pytest.fixture(params=["memory", "postgres"])
def journal(request: pytest.FixtureRequest) -> SandboxJournal:
    if request.param == "memory":
        return MemorySandboxJournal()
    return PostgresSandboxJournal(request.getfixturevalue("connections"))


def transfer(name: str, index: int = 0, units: int = 5) -> Transfer:
    return Transfer("ethereum", name, index, "0xabc", Amount(ETH, units))


async def test_a_chain_that_was_never_followed_has_no_cursor(state: FollowerState):
    assert await state.load(CHAIN) == (None, [], [])


async def test_what_is_saved_is_loaded(state: FollowerState):
    block = Block(7, "0x07", NOON)
    rows: list[Any] = [
        (transfer("0x1", units=2**255), block, NOON, True, None),
        (transfer("0x2"), None, NOON, False, 7),
        (replace(transfer("0x3"), mark="0xfeed"), None, NOON, False, None),
    ]
    await state.save(CHAIN, (7, "0x07", 2), [(6, "0x06"), (7, "0x07")], 0, rows, [])
    assert await state.load(CHAIN) == ((7, "0x07", 2), [(6, "0x06"), (7, "0x07")], rows)
    assert await state.load("eip155:2") == (None, [], [])


async def test_saving_drops_abandoned_and_old_blocks(state: FollowerState):
    await state.save(CHAIN, (4, "d", 0), [(1, "a"), (2, "b"), (3, "c"), (4, "d")], 0, [], [])
    await state.save(CHAIN, (3, "C", 1), [(3, "C")], 2, [], [])
    cursor, blocks, _ = await state.load(CHAIN)
    assert (cursor, blocks) == ((3, "C", 1), [(2, "b"), (3, "C")])


async def test_a_rewind_without_new_blocks_drops_those_above(state: FollowerState):
    await state.save(CHAIN, (3, "c", 0), [(1, "a"), (2, "b"), (3, "c")], 0, [], [])
    await state.save(CHAIN, (0, None, 1), [], 0, [], [])
    assert await state.load(CHAIN) == ((0, None, 1), [], [])


async def test_transfers_are_replaced_and_forgotten_by_transaction_and_index(state: FollowerState):
    await state.track(CHAIN, [(transfer("0x1", 0), None, NOON, False, None)])
    await state.track(CHAIN, [(transfer("0x1", 1), None, NOON, False, None)])
    replaced = (transfer("0x1", 0), Block(1, "a", NOON), NOON, False, None)
    await state.save(CHAIN, (1, "a", 0), [(1, "a")], 0, [replaced], [("0x1", 1)])
    assert (await state.load(CHAIN))[2] == [replaced]


def next_row(last: JournalRow | None) -> JournalRow:
    sequence = 1 if last is None else last[0] + 1
    return (sequence, transfer(f"0x{sequence}"), NOON, NOON, NOON, 9, True, 12, None, 15)


async def test_a_journal_is_read_in_order_and_without_gaps(journal: SandboxJournal):
    rows = await asyncio.gather(*(journal.append(CHAIN, next_row) for _ in range(10)))
    assert sorted(row[0] for row in rows) == list(range(1, 11))
    assert [row[0] for row in await journal.read(CHAIN, 0, 100)] == list(range(1, 11))
    assert await journal.read(CHAIN, 8, 1) == [next_row(next_row_at(8))]
    assert await journal.read("other", 0, 10) == []


async def test_what_a_transaction_says_is_in_the_journal(journal: SandboxJournal):
    marked = replace(transfer("x"), mark="0xfeed")
    await journal.append(CHAIN, lambda _: (1, marked, *next_row_at(1)[2:]))
    assert (await journal.read(CHAIN, 0, 1))[0][1] == marked


def next_row_at(sequence: int) -> JournalRow:
    return (sequence, transfer("x"), NOON, NOON, NOON, 9, True, 12, None, 15)
