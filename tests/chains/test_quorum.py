"""Whether enough endpoints say the same: nodes whose every word is the test's, and a clock of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, Heads
from flamewire_ledger.chains.endpoints import Endpoints
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.quorum import Quorum, View
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.chains.scripted_chain import COIN, NOON, transfer
from tests.chains.test_endpoints import LIMITS
from tests.chains.test_pace import Clock


class Node:
    """Ten blocks, of which eight are final. `branch` is what its hashes end in, by height."""

    def __init__(self) -> None:
        self.height = 9
        self.finalized = 7
        self.branch = ["a"] * 1000
        self.contents: dict[int, tuple[Transfer, ...]] = {}
        self.is_down = False
        self.asked = 0

    def _answer(self) -> None:
        self.asked += 1
        if self.is_down:
            raise ChainUnavailable("it is down")

    def block(self, height: int) -> BlockTransfers:
        block = Block(height, f"{height}{self.branch[height]}", NOON)
        parent = f"{height - 1}{self.branch[height - 1]}"
        return BlockTransfers(block, parent, self.contents.get(height, ()))

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        self._answer()
        return [self.block(height) for height in range(first, min(last, self.height) + 1)]

    async def block_at(self, height: int) -> BlockTransfers | None:
        self._answer()
        return self.block(height) if height <= self.height else None

    async def heads(self) -> Heads:
        self._answer()
        return Heads(self.block(self.height).block, self.finalized)

    async def block_and_parent(self, height: int) -> tuple[Block, str] | None:
        self._answer()
        return self.block(height).block, self.block(height).parent_hash

    async def look(self, heights: Collection[int]) -> View:
        self._answer()
        hashes = {h: self.block(h).block.hash for h in heights if h <= self.height}
        return View(self.height, self.finalized, hashes)


class Court:
    def __init__(self, nodes: int, quorum: int = 2, above: int = 0) -> None:
        self.clock = Clock()
        self.nodes = [Node() for _ in range(nodes)]
        self.endpoints = Endpoints(self.nodes, LIMITS, clock=self.clock)
        self.quorum = Quorum(
            self.endpoints,
            EndpointRules(None, quorum, {COIN.code: above}),
            look=lambda node, heights: node.look(heights),
            block=lambda node, height: node.block_at(height),
            votes_seconds_max=1,
            clock=self.clock,
        )

    def put(self, height: int, *sent: Transfer, on: Sequence[int] = (1, 2, 3)) -> None:
        for number in on:
            if number <= len(self.nodes):
                self.nodes[number - 1].contents[height] = sent

    async def read(self, first: int = 0, last: int = 20) -> list[str]:
        blocks = await self.quorum.read(lambda node: node.blocks(first, last))
        return [each.block.hash for each in blocks]

    async def attested(self, sent: Transfer, height: int = 5) -> bool:
        return await self.quorum.attested(sent, Block(height, f"{height}a", NOON))

    async def heads(self) -> tuple[str, int]:
        heads = await self.quorum.heads(lambda node: node.heads())
        return heads.latest.hash, heads.finalized_height

    @property
    def aside(self) -> list[int]:
        return [each.number for each in self.endpoints.reports() if each.state == "set aside"]

    @property
    def reasons(self) -> list[str | None]:
        return [each.reason for each in self.endpoints.reports()]


SENT = transfer("sent")


# Attesting.


async def test_a_transfer_that_two_have_in_a_final_block_is_attested() -> None:
    court = Court(2)
    court.put(5, SENT)
    assert await court.attested(SENT)


async def test_what_only_one_has_is_not_attested() -> None:
    court = Court(2)
    court.put(5, SENT, on=[1])
    assert not await court.attested(SENT)
    assert court.aside == [], "of two that differ nobody can tell which lies"
    assert court.reasons == ["its block 5 is not what others say, and there is no majority"] * 2


async def test_who_has_what_the_majority_denies_is_set_aside() -> None:
    court = Court(3)
    court.put(5, SENT, on=[1])
    assert not await court.attested(SENT)
    assert court.aside == [1]
    assert court.reasons[0] == "its block 5 is not what most of the endpoints say"


async def test_what_a_majority_has_is_attested_though_one_hides_it() -> None:
    court = Court(3)
    court.put(5, SENT, on=[2, 3])
    assert await court.attested(SENT)
    assert court.aside == [1]


async def test_a_block_of_another_hash_attests_nothing() -> None:
    court = Court(2)
    court.put(5, SENT)
    court.nodes[1].branch[5] = "b"
    assert not await court.attested(SENT)


async def test_more_units_than_the_others_have_are_not_attested() -> None:
    court = Court(3)
    court.put(5, SENT)
    many = Transfer(SENT.network, SENT.transaction_id, SENT.index, SENT.address, Amount(COIN, 2))
    court.put(5, many, on=[1])
    assert not await court.attested(many)


async def test_who_does_not_call_the_block_final_does_not_attest_it() -> None:
    court = Court(2)
    court.put(5, SENT)
    court.nodes[1].finalized = 4
    assert not await court.attested(SENT)
    court.nodes[1].finalized = 5
    court.clock.now += 1
    assert await court.attested(SENT)


async def test_one_that_is_down_does_not_attest_and_the_third_does() -> None:
    court = Court(3)
    court.put(5, SENT)
    court.nodes[0].is_down = True
    assert await court.attested(SENT)
    court.nodes[1].is_down = True
    court.put(6, SENT)
    assert not await court.attested(SENT, 6)


async def test_small_amounts_and_unlisted_assets_need_no_quorum() -> None:
    court = Court(2, above=1)
    assert await court.attested(SENT)
    unlisted = Transfer("scripted", "odd", 0, "ours", Amount(Asset("scripted:0xdead", 0), 10**9))
    assert await court.attested(unlisted)
    assert [node.asked for node in court.nodes] == [0, 0]


async def test_without_a_quorum_nobody_is_asked() -> None:
    court = Court(2, quorum=1)
    assert await court.attested(SENT)
    assert [node.asked for node in court.nodes] == [0, 0]


async def test_a_block_of_many_transfers_is_asked_for_once() -> None:
    court = Court(2)
    sent = [transfer(str(number)) for number in range(1000)]
    court.put(5, *sent)
    assert all([await court.attested(each) for each in sent])
    assert not any([await court.attested(transfer(f"no {number}")) for number in range(1000)])
    assert [node.asked for node in court.nodes] == [2, 2]  # its finality, and the block


# Reading.


async def test_blocks_are_read_from_as_many_as_the_quorum_is() -> None:
    court = Court(3)
    assert await court.read(0, 3) == ["0a", "1a", "2a", "3a"]
    assert [node.asked for node in court.nodes] == [1, 1, 0]


async def test_what_one_has_not_got_yet_is_waited_for() -> None:
    court = Court(2)
    court.nodes[1].height = 4
    assert await court.read() == ["0a", "1a", "2a", "3a", "4a"]


async def test_a_transfer_that_one_hides_is_found_and_the_liar_is_set_aside() -> None:
    court = Court(3)
    court.put(5, SENT, on=[2, 3])
    assert await court.read() == ["0a", "1a", "2a", "3a", "4a"]
    assert court.aside == [1]
    assert (await court.read(5))[0] == "5a"


async def test_of_two_that_differ_nothing_is_taken_in() -> None:
    court = Court(2)
    court.put(5, SENT, on=[2])
    for _ in range(3):
        assert await court.read(5) == []
    assert court.aside == []
    assert court.reasons == ["its block 5 is not what others say, and there is no majority"] * 2


async def test_rival_blocks_are_borne_for_a_while_and_then_the_majority_is_right() -> None:
    court = Court(3)
    court.nodes[0].branch[8:] = ["b"] * 992
    for _ in range(2):
        assert await court.read(7) == ["7a"]
        assert court.aside == []
        court.clock.now += 10
    assert await court.read(7) == ["7a"]
    assert court.aside == [1]
    assert await court.read(7) == ["7a", "8a", "9a"]


async def test_rival_blocks_that_became_one_are_forgotten() -> None:
    court = Court(2)
    court.nodes[0].branch[9] = "b"
    assert await court.read(8) == ["8a"]
    court.nodes[0].branch[9] = "a"
    assert await court.read(8) == ["8a", "9a"]
    assert court.reasons == [None, None]


async def test_while_only_one_answers_reading_goes_on() -> None:
    court = Court(2)
    court.nodes[0].is_down = True
    assert await court.read(8) == ["8a", "9a"]
    court.nodes[1].is_down = True
    with pytest.raises(ChainUnavailable):
        await court.read(8)


# Heads.


async def test_the_head_is_one_that_all_of_the_quorum_have() -> None:
    court = Court(3)
    court.nodes[0].height, court.nodes[0].finalized = 12, 9
    assert await court.heads() == ("9a", 7)
    assert court.nodes[2].asked == 0


async def test_a_head_that_fewer_tell_is_not_agreed() -> None:
    court = Court(3)
    assert (await court.quorum.heads(lambda node: node.heads())).is_agreed
    for node in court.nodes[:2]:
        node.is_down = True
    assert not (await court.quorum.heads(lambda node: node.heads())).is_agreed


async def test_while_heads_are_rivals_the_last_one_that_was_agreed_counts() -> None:
    court = Court(3)
    assert await court.heads() == ("9a", 7)
    for node in court.nodes:
        node.height = 11
    court.nodes[0].branch[10:] = ["b"] * 990
    assert await court.heads() == ("9a", 7)
    court.nodes[0].branch = ["a"] * 1000
    assert await court.heads() == ("11a", 7)


async def test_one_whose_head_stays_another_is_outvoted_however_the_chain_grows() -> None:
    court = Court(3)
    await court.heads()
    court.nodes[0].branch[9:] = ["b"] * 991
    for _ in range(2):
        assert await court.heads() == ("9a", 7)
        assert court.aside == []
        court.clock.now += 10
        for node in court.nodes:
            node.height += 1
    assert await court.heads() == ("9a", 7)
    assert court.aside == [1]
    assert await court.heads() == ("11a", 7)


async def test_rival_heads_from_the_first_moment_are_no_heads() -> None:
    court = Court(2)
    court.nodes[0].branch[9:] = ["b"] * 991
    with pytest.raises(ChainUnavailable, match="do not agree about block 9"):
        await court.heads()


async def test_a_head_that_lags_too_far_holds_nobody_back() -> None:
    court = Court(3)
    court.nodes[0].height = court.nodes[2].height = 99
    assert (await court.heads())[0] == "99a"
    assert court.aside == [2]
    court.nodes[2].height = 98
    assert (await court.heads())[0] == "98a", "the third is asked in its place"


async def test_a_block_is_denied_by_no_single_endpoint() -> None:
    court = Court(2)
    court.nodes[0].branch[5] = "b"
    with pytest.raises(ChainUnavailable, match="do not agree about block 5"):
        await court.quorum.block_at(lambda node: node.block_and_parent(5), 5)
    answer = await court.quorum.block_at(lambda node: node.block_and_parent(8), 8)
    assert answer is not None
    assert answer[0].hash == "8a"


# Comparing.


async def test_who_has_another_final_block_is_set_aside_quorum_or_not() -> None:
    court = Court(3, quorum=1)
    court.nodes[1].branch[7:] = ["b"] * 993
    await court.quorum.compare()
    assert court.aside == [2]
    assert court.reasons[1] == "its final block 7 is not what most of the endpoints say"


async def test_of_two_with_other_final_blocks_both_are_doubted() -> None:
    court = Court(2, quorum=1)
    court.nodes[1].branch[7:] = ["b"] * 993
    await court.quorum.compare()
    assert court.aside == []
    assert all(court.reasons)


async def test_of_two_the_one_is_set_aside_that_changes_what_was_final() -> None:
    court = Court(2, quorum=1)
    await court.quorum.compare()
    court.nodes[0].branch[7:] = ["b"] * 993
    court.nodes[0].finalized = court.nodes[1].finalized = 8
    await court.quorum.compare()
    assert court.aside == [1]
    assert court.reasons[0] == "its final block 7 is not what it was"


async def test_a_chain_that_breaks_its_promise_everywhere_is_believed() -> None:
    court = Court(2, quorum=1)
    await court.quorum.compare()
    for node in court.nodes:
        node.branch = ["b"] * 1000
    await court.quorum.compare()
    assert court.aside == []


async def test_rival_heads_are_no_lie() -> None:
    court = Court(3, quorum=1)
    court.nodes[0].branch[8:] = ["b"] * 992
    await court.quorum.compare()
    assert court.aside == []


async def test_who_lags_is_set_aside_by_comparing_and_back_when_it_has_caught_up() -> None:
    court = Court(3, quorum=1)
    for node in court.nodes[1:]:
        node.height, node.finalized = 30, 28
    await court.quorum.compare()
    assert court.aside == [1]
    assert court.reasons[0] == "its head is 21 blocks behind the others'"
    court.nodes[0].height = 30
    await court.quorum.compare(even_set_aside=True)
    assert court.aside == []


async def test_a_finality_that_one_invents_sets_nobody_else_aside() -> None:
    court = Court(3, quorum=1)
    court.nodes[0].height = court.nodes[0].finalized = 900
    await court.quorum.compare()
    assert court.aside == [1]
    assert court.reasons[0] == "its head is 891 blocks ahead of all others'"
