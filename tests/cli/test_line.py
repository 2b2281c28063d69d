"""The line between two processes: what is told arrives, what is asked is answered or given up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.cli.line import Line, LineLost


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Line, Line]]:
    one, other = socket.socketpair()
    lines = await Line.open(one), await Line.open(other)
    running = [asyncio.create_task(line.run()) for line in lines]
    yield lines
    for line in lines:
        line.close()
    await asyncio.gather(*running)


async def test_what_one_end_tells_the_other_hears(ends: tuple[Line, Line]):
    heard: asyncio.Queue[object] = asyncio.Queue()
    ends[1].hears("ready", heard.put_nowait)

    ends[0].tell("ready", {"in": "time"})
    ends[0].tell("a word that nobody listens for")
    ends[0].tell("ready", 2)

    assert [await heard.get(), await heard.get()] == [{"in": "time"}, 2]


async def test_both_ends_may_ask_each_other_at_once(ends: tuple[Line, Line]):
    for number, line in enumerate(ends):

        async def answer(number: int = number) -> int:
            return number

        line.answers("number", answer)

    assert await asyncio.gather(ends[0].ask("number"), ends[1].ask("number")) == [1, 0]


async def test_a_question_that_is_on_its_way_is_not_asked_again(ends: tuple[Line, Line]):
    asked = 0

    async def answer() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    ends[1].answers("count", answer)

    assert await asyncio.gather(*(ends[0].ask("count") for _ in range(50))) == [1] * 50
    assert await ends[0].ask("count") == 2


async def test_an_answer_that_does_not_come_is_given_up(ends: tuple[Line, Line]):
    with pytest.raises(LineLost):
        await ends[0].ask("what nobody knows", 0.05)


async def test_whoever_waits_for_an_answer_hears_that_the_other_end_is_gone(
    ends: tuple[Line, Line],
):
    waiting = asyncio.create_task(ends[0].ask("what nobody knows"))
    await asyncio.sleep(0)
    ends[1].close()

    with pytest.raises(LineLost):
        await waiting
    with pytest.raises(LineLost):
        await ends[0].ask("anything")


async def test_a_long_answer_arrives_whole(ends: tuple[Line, Line]):
    async def answer() -> str:
        return "x" * 1_000_000

    ends[1].answers("much", answer)

    assert len(await ends[0].ask("much")) == 1_000_000
