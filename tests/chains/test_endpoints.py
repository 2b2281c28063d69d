"""The pool of a chain's endpoints: who is asked, who is set aside, for how long, and what is told."""

from __future__ import annotations

import logging

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.endpoints import (
    EndpointLimits,
    Endpoints,
    QuestionRefused,
    Throttled,
)
from tests.chains.test_pace import Clock

LIMITS = EndpointLimits(
    aside_seconds=5,
    aside_seconds_max=60,
    lag_blocks_max=10,
    told_seconds_max=60,
    compare_seconds=30,
)


class Node:
    """An endpoint whose answer is the test's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault: Exception | None = None
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self.name


class Pool:
    """Three nodes, called a, b and c, of which a is preferred."""

    def __init__(self, names: str = "abc", limits: EndpointLimits = LIMITS) -> None:
        self.clock = Clock()
        self.nodes = [Node(name) for name in names]
        self.endpoints = Endpoints(
            self.nodes, limits, network="sepolia", clock=self.clock, sleep=self.clock.sleep
        )

    async def ask(self) -> str:
        return await self.endpoints.ask(lambda node: node.answer())

    def fail(self, *numbers: int, fault: Exception | None = None) -> None:
        for number, node in enumerate(self.nodes, start=1):
            node.fault = (fault or ChainUnavailable("it is down")) if number in numbers else None

    @property
    def states(self) -> list[str]:
        return [report.state for report in self.endpoints.reports()]


# Who is asked.


async def test_the_first_is_asked_and_the_others_stand_by() -> None:
    pool = Pool()
    assert [await pool.ask() for _ in range(3)] == ["a"] * 3
    assert [node.asked for node in pool.nodes] == [3, 0, 0]
    assert pool.states == ["in use", "standing by", "standing by"]


async def test_who_fails_is_set_aside_and_the_next_steps_in() -> None:
    pool = Pool()
    pool.fail(1)
    assert await pool.ask() == "b"
    assert await pool.ask() == "b"
    assert [node.asked for node in pool.nodes] == [1, 2, 0]
    assert pool.states == ["set aside", "in use", "standing by"]
    first = pool.endpoints.reports()[0]
    assert (first.number, first.failures, first.reason) == (1, 1, "it is down")


async def test_who_was_set_aside_is_asked_again_when_its_time_is_over() -> None:
    pool = Pool()
    pool.fail(1)
    await pool.ask()
    pool.fail()
    pool.clock.now += 4.9
    assert await pool.ask() == "b"
    pool.clock.now += 0.1
    assert await pool.ask() == "a"
    assert pool.states == ["in use", "standing by", "standing by"]


async def test_who_fails_again_is_left_alone_twice_as_long_up_to_a_limit() -> None:
    pool = Pool()
    pool.fail(1)
    waited = []
    for _ in range(7):
        await pool.ask()
        began = pool.clock.now
        while pool.states[0] == "set aside":
            pool.clock.now += 1
        waited.append(round(pool.clock.now - began))
    assert waited == [5, 10, 20, 40, 60, 60, 60]


async def test_who_behaved_for_as_long_as_it_was_aside_begins_anew() -> None:
    pool = Pool()
    for rests, aside in ((1, 5), (1, 10), (60, 5)):
        pool.fail(1)
        pool.clock.now += rests
        await pool.ask()
        pool.fail()
        pool.clock.now += aside - 0.5
        assert pool.states[0] == "set aside"
        pool.clock.now += 0.5
        assert await pool.ask() == "a"


async def test_when_nobody_is_ready_the_weak_are_asked_all_the_same_once_each() -> None:
    pool = Pool()
    pool.fail(1, 2, 3)
    for _ in range(2):
        with pytest.raises(ChainUnavailable, match="it is down"):
            await pool.ask()
    assert [node.asked for node in pool.nodes] == [2, 2, 2]
    pool.fail(1, 3)
    assert await pool.ask() == "b"
    assert pool.states == ["set aside", "in use", "set aside"]


async def test_a_question_that_no_endpoint_would_answer_sets_nobody_aside() -> None:
    pool = Pool()
    pool.fail(1, fault=QuestionRefused("no such method"))
    with pytest.raises(QuestionRefused):
        await pool.ask()
    assert [node.asked for node in pool.nodes] == [1, 0, 0]
    assert pool.states[0] == "in use"


async def test_a_fault_that_is_nobodys_is_nobodys() -> None:
    pool = Pool()
    pool.fail(1, fault=RuntimeError("a mistake of ours"))
    with pytest.raises(RuntimeError):
        await pool.ask()
    assert pool.states[0] == "in use"


# Being left alone.


async def test_who_asks_to_be_left_alone_is_not_asked_even_when_no_other_answers() -> None:
    pool = Pool("a")
    pool.fail(1, fault=Throttled("too many requests", 90))
    with pytest.raises(Throttled):
        await pool.ask()
    pool.fail()
    pool.clock.now += 89
    with pytest.raises(
        ChainUnavailable, match=r"every endpoint is set aside: endpoint 1: too many"
    ):
        await pool.ask()
    assert pool.nodes[0].asked == 1
    pool.clock.now += 1
    assert await pool.ask() == "a"


async def test_nobody_is_left_alone_for_ever() -> None:
    pool = Pool("a")
    pool.fail(1, fault=Throttled("too many requests", 10.0**12))
    with pytest.raises(Throttled):
        await pool.ask()
    pool.fail()
    pool.clock.now += 3600
    assert await pool.ask() == "a"


async def test_each_endpoint_is_asked_no_faster_than_it_allows() -> None:
    pool = Pool(limits=EndpointLimits(requests_per_second=2))
    for _ in range(6):
        await pool.ask()
    assert pool.clock.now == pytest.approx(102.0)
    pool.fail(1)
    await pool.ask()  # the first of the second endpoint waits for nobody
    assert pool.clock.now <= 103.0


# Who lies, and who is somebody else.


async def test_who_is_set_aside_for_what_it_said_is_not_asked_at_all() -> None:
    pool = Pool("ab")
    pool.endpoints.set_aside(1, "its block 7 is not the one the others have")
    pool.fail(2)
    with pytest.raises(ChainUnavailable, match="it is down"):
        await pool.ask()
    assert pool.nodes[0].asked == 0
    pool.clock.now += 5
    assert await pool.ask() == "a"


async def test_one_lie_that_many_questions_find_out_counts_once() -> None:
    pool = Pool()
    for _ in range(10):
        pool.endpoints.set_aside(1, "it lies")
    assert pool.endpoints.reports()[0].failures == 1
    pool.clock.now += 5
    assert pool.states[0] == "in use"


async def test_one_of_another_chain_is_put_aside_where_others_are_right() -> None:
    pool = Pool()
    pool.fail(1, fault=WrongChain("it is of chain 5"))
    assert await pool.ask() == "b"
    assert pool.endpoints.reports()[0].reason == "it is of chain 5"


async def test_where_none_has_proved_to_be_right_one_of_another_chain_is_an_error() -> None:
    pool = Pool("ab")
    pool.nodes[0].fault = WrongChain("it is of chain 5")
    pool.nodes[1].fault = ChainUnavailable("it is down")
    for _ in range(3):
        with pytest.raises(WrongChain, match="it is of chain 5"):
            await pool.ask()
    assert pool.nodes[0].asked == 1


async def test_where_one_was_right_before_one_of_another_chain_ends_nothing() -> None:
    pool = Pool("ab")
    await pool.ask()
    pool.nodes[0].fault = ChainUnavailable("it is down")
    pool.nodes[1].fault = WrongChain("it is of chain 5")
    with pytest.raises(ChainUnavailable, match="it is down"):
        await pool.ask()


# All of them.


async def test_all_are_asked_and_each_answers_for_itself() -> None:
    pool = Pool()
    pool.nodes[1].fault = ChainUnavailable("it is down")
    pool.nodes[2].fault = WrongChain("it is of chain 5")
    answers = await pool.endpoints.ask_all(lambda node: node.answer())
    assert [(number, str(answer)) for number, answer in answers] == [
        (1, "a"), (2, "it is down"), (3, "it is of chain 5"),
    ]  # fmt: skip
    assert pool.states == ["in use", "set aside", "set aside"]


async def test_who_is_set_aside_is_asked_with_all_others_only_to_see_how_it_does() -> None:
    pool = Pool()
    pool.endpoints.set_aside(2, "it lies")
    pool.fail(3, fault=Throttled("too many requests", 60))
    await pool.endpoints.ask_all(lambda node: node.answer())
    pool.fail()
    await pool.endpoints.ask_all(lambda node: node.answer())
    assert [node.asked for node in pool.nodes] == [2, 0, 1]
    await pool.endpoints.ask_all(lambda node: node.answer(), even_set_aside=True)
    assert [node.asked for node in pool.nodes] == [3, 1, 1]
    assert pool.states == ["in use", "set aside", "set aside"], "an answer mends no lie"


# Heads.


def heads(pool: Pool, *heights: int) -> list[str]:
    """Told at one time."""
    pool.endpoints.spoke_together(dict(enumerate(heights, start=1)))
    return pool.states


def test_one_that_is_far_behind_is_set_aside_until_it_has_caught_up() -> None:
    pool = Pool("ab")
    assert heads(pool, 90, 100) == ["in use", "standing by"], "ten blocks are no lag"
    assert heads(pool, 89, 100) == ["set aside", "in use"]
    assert pool.endpoints.reports()[0].reason == "its head is 11 blocks behind the others'"
    assert pool.endpoints.reports()[0].height == 89
    assert heads(pool, 99, 102) == ["in use", "standing by"]


def test_a_head_that_goes_far_back_is_set_aside() -> None:
    pool = Pool()
    assert heads(pool, 100, 100, 100) == ["in use", "standing by", "standing by"]
    pool.endpoints.spoke_of(1, 50)
    assert pool.states == ["set aside", "in use", "standing by"]
    pool.endpoints.spoke_of(1, 99)
    assert pool.states == ["in use", "standing by", "standing by"]


def test_a_head_that_grows_makes_no_laggards_of_those_that_were_not_asked() -> None:
    pool = Pool()
    heads(pool, 100, 100, 100)
    for height in range(100, 1000, 50):
        pool.endpoints.spoke_of(1, height)
        assert pool.states == ["in use", "standing by", "standing by"]
    pool.endpoints.spoke_of(2, 1000)
    assert pool.states == ["in use", "standing by", "standing by"]
    pool.endpoints.spoke_of(3, 900)
    assert pool.states == ["in use", "standing by", "set aside"]


def test_one_that_speaks_of_blocks_nobody_has_is_set_aside_and_not_all_others() -> None:
    pool = Pool()
    assert heads(pool, 10**9, 100, 101) == ["set aside", "in use", "standing by"]
    pool.endpoints.spoke_of(1, 10**9)
    pool.endpoints.spoke_of(2, 102)
    assert pool.states == ["set aside", "in use", "standing by"]
    assert heads(pool, 103, 100, 101) == ["in use", "standing by", "standing by"]


def test_a_head_that_was_told_long_ago_is_compared_with_none() -> None:
    pool = Pool("ab")
    heads(pool, 100)
    pool.clock.now += 61
    pool.endpoints.spoke_of(2, 1000)
    assert pool.states == ["in use", "standing by"]


def test_the_only_endpoint_is_behind_nobody() -> None:
    pool = Pool("a")
    assert heads(pool, 100) == heads(pool, 1) == ["in use"]


async def test_one_that_lags_is_better_than_none() -> None:
    pool = Pool("ab")
    heads(pool, 1, 100)
    pool.fail(2)
    assert await pool.ask() == "a"
    assert pool.states[0] == "set aside", "an answer is no proof of having caught up"


def test_heads_are_to_be_compared_now_and_then_where_there_are_several() -> None:
    pool, alone = Pool("ab"), Pool("a")
    assert not pool.endpoints.is_comparison_due
    pool.clock.now += 30
    alone.clock.now += 30
    assert pool.endpoints.is_comparison_due
    assert not alone.endpoints.is_comparison_due
    pool.endpoints.compared()
    assert not pool.endpoints.is_comparison_due


# What is told.


async def test_each_time_aside_is_logged_with_the_chain_and_the_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "flamewire_ledger")
    pool = Pool()
    pool.fail(1)
    await pool.ask()
    await pool.ask()
    assert caplog.messages == ["sepolia, endpoint 1: it is down; set aside for 5 s"]


async def test_without_endpoints_nothing_is_answered() -> None:
    with pytest.raises(ChainUnavailable, match="no endpoint is configured"):
        await Pool("").ask()
