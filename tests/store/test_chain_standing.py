"""Who follows a chain, who stands by, and how far it was followed: as anybody with the database sees it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.chain_records import PostgresFollowerState, TransferRow
from flamewire_ledger.store.chain_standing import Standing, chain_standings, held_up
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.connections import Connections

CHAIN, OTHER = "eip155:1", "polkadot:2f0555cc76fc2840a25a6ea3b9637146"


def turn(connections: Connections, name: str, chain_id: str = CHAIN) -> PostgresChainTurn:
    return PostgresChainTurn(connections, chain_id, name=name, standby_seconds=0.05)


async def stand_by(turn: PostgresChainTurn) -> None:
    async with turn.taken():
        await asyncio.Event().wait()


async def standing_of(connections: Connections, chain_id: str = CHAIN) -> Standing:
    return (await chain_standings(connections, [CHAIN, OTHER]))[chain_id]


async def test_a_chain_that_nobody_ever_followed_has_nothing_to_tell(connections: Connections):
    assert await standing_of(connections) == Standing()


async def test_who_follows_and_who_stands_by_are_named_each_for_its_chain(
    connections: Connections,
):
    async with turn(connections, "here:1").taken(), turn(connections, "there:9", OTHER).taken():
        second = turn(connections, "there:2")
        waiting = asyncio.create_task(stand_by(second))
        async with asyncio.timeout(10):
            while not second.is_standing_by:
                await asyncio.sleep(0.01)
        found = await standing_of(connections)
        assert (found.followed_by, found.standing_by) == ("here:1", ("there:2",))
        other = await standing_of(connections, OTHER)
        assert (other.followed_by, other.standing_by) == ("there:9", ())
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def test_who_is_gone_is_named_no_more(connections: Connections):
    async with turn(connections, "here:1").taken():
        assert (await standing_of(connections)).followed_by == "here:1"
    async with asyncio.timeout(10):  # until the database has seen the connection end
        while (await standing_of(connections)).followed_by is not None:
            await asyncio.sleep(0.01)


async def test_how_far_it_was_followed_is_what_the_follower_saved(connections: Connections):
    state = PostgresFollowerState(connections)
    await state.save(CHAIN, (7, "0x7", 0), [(7, "0x7")], 0, [], [])
    found = await standing_of(connections)
    assert found.height == 7
    assert found.saved_at is not None
    assert (await standing_of(connections, OTHER)).height is None


async def test_what_is_final_and_not_confirmed_is_counted(connections: Connections):
    """Or gone without anybody taking note: that is kept by a name that no transfer has."""
    noon, wei = datetime(2026, 11, 22, 12, tzinfo=UTC), Amount(Asset("ethereum:ETH", 18), 1)
    state = PostgresFollowerState(connections)

    def row(name: str, height: int | None, is_confirmed: bool, index: int = 0) -> TransferRow:
        block = None if height is None else Block(height, f"0x{height}", noon)
        return Transfer("ethereum", name, index, "0xA", wei), block, noon, is_confirmed, None

    rows = [row("0xa", 5, True), row("0xb", 6, True), row("0xc", 9, False), row("0xd", None, False)]
    await state.track(CHAIN, rows)
    assert await held_up(connections, CHAIN, 8) == 0
    await state.track(CHAIN, [row("0xe", 8, False), row("0xa", 5, False, index=-1)])
    assert await held_up(connections, CHAIN, 8) == 2
    assert await held_up(connections, OTHER, 8) == 0
