"""Checkpoints that nodes have forgotten, from GraphQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.sui.chain import SuiChain
from tests.chains.conformance import follower
from tests.chains.ears import Ears
from tests.chains.sui.sui_world import ADDRESSES, USDC, SuiWorld
from tests.services.sui.archive import SuiArchive
from tests.services.sui.wallet import Move

SHOP, OTHER = ADDRESSES[1], ADDRESSES[2]


@pytest.fixture
def archive(world: SuiWorld) -> Iterator[SuiArchive]:
    made = SuiArchive(world.model)
    yield made
    made.close()


def forgetful(world: SuiWorld, archive: SuiArchive | None) -> SuiChain:
    """A connection to a node that has the newest checkpoint only."""
    world.server.lowest = world.model.height
    world.server.subscribes = False
    return world.connect(graphql_url=archive.url if archive is not None else None)


async def test_what_nodes_have_forgotten_is_the_same_from_the_archive(
    world: SuiWorld, archive: SuiArchive
) -> None:
    """Several pages of transactions, of events, a failed one, another order of the changes."""
    for number in range(5):
        world.wallet.pay(
            Move(SHOP, 5 + number, nonce=f"a-{number}"),
            Move(OTHER, 9, USDC),
            Move(SHOP, 6, nonce="b"),
            Move(SHOP, 7, nonce="c"),
        )
    world.wallet.pay_in_vain(SHOP, 3)
    await world.mine(2)
    before = await world.chain.blocks(0, world.model.height)
    height = world.model.height - 1
    there = await world.chain.block_at(height)
    chain = forgetful(world, archive)
    after = await chain.blocks(0, world.model.height)
    assert after == before
    assert await chain.block_at(height) == there
    assert (await chain.heads()).earliest_height == 0
    assert sum(len(each.transfers) for each in after) == 5 * 4
    await chain.aclose()


async def test_a_follower_that_was_away_for_long_misses_nothing(
    world: SuiWorld, archive: SuiArchive
) -> None:
    sent = []
    for units in range(5, 12):
        sent.append(await world.pay(SHOP, units))
        await world.mine()
    chain = forgetful(world, archive)
    ears = Ears(SHOP)
    await follower(world, ears, chain=chain, start_height=0).catch_up()
    assert [ears.stages(each) for each in sent] == [["included", "confirmed"]] * 7
    await chain.aclose()


async def test_without_an_archive_it_is_said_what_would_help(world: SuiWorld) -> None:
    await world.mine(3)
    chain = forgetful(world, None)
    with pytest.raises(ChainUnavailable, match="name a graphql_url in the networks file"):
        await chain.blocks(1, 2)
    assert len(await chain.blocks(world.model.height, world.model.height)) == 1
    await chain.aclose()


async def test_an_archive_of_another_chain_is_never_believed(
    world: SuiWorld, archive: SuiArchive
) -> None:
    await world.mine(2)
    chain = forgetful(world, archive)
    archive.identifier = "35834a8a"
    with pytest.raises(WrongChain, match="graphql_url is of another chain"):
        await chain.blocks(1, 1)
    archive.identifier = world.chain.network.chain_id.partition(":")[2]
    assert len(await chain.blocks(1, 1)) == 1
    await chain.aclose()


async def test_an_archive_that_contradicts_what_is_known_is_not_believed(
    world: SuiWorld, archive: SuiArchive
) -> None:
    await world.mine(2)
    chain = forgetful(world, archive)
    await chain.heads()
    height = world.model.height
    told = archive.answer
    genuine = world.model.checkpoints[height - 1].digest

    def lie(question: dict[str, object]) -> bytes:
        return told(question).replace(genuine.encode(), genuine[::-1].encode())

    archive.answer = lie  # type: ignore[method-assign]
    with pytest.raises(ChainUnavailable, match="the archive contradicts what is known"):
        await chain.blocks(height - 1, height)
    await chain.aclose()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'{"data": null}'), (429, b""), (503, b""),
        (200, b'{"data": {"chainIdentifier": "x", "checkpoint": {}}}'),
        (302, b""), (200, b"[" * 100_000),
    ],
)  # fmt: skip
async def test_nonsense_of_an_archive_is_unavailability_and_holds_no_url(
    world: SuiWorld, archive: SuiArchive, status: int, body: bytes
) -> None:
    await world.mine(2)
    chain = forgetful(world, archive)
    archive.status = status
    archive.body = body.replace(b'"x"', f'"{archive.identifier}"'.encode())
    with pytest.raises(ChainUnavailable) as caught:
        await chain.blocks(1, 1)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    await chain.aclose()
