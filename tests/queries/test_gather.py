"""Many who ask at about the same time share one question, and nobody is worse off for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from flamewire_ledger.queries.gather import Crowded, Gather


class Server:
    """Answers what was so when the question began, once it is let."""

    def __init__(self) -> None:
        self.now = 0
        self.asked: list[list[str]] = []
        self.lets = asyncio.Event()
        self.error: Exception | None = None

    async def ask(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(keys))
        now = self.now
        await self.lets.wait()
        if self.error is not None:
            raise self.error
        return dict.fromkeys((key for key in keys if key != "none"), now)


async def started(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_those_who_ask_together_share_one_question():
    server = Server()
    server.lets.set()
    gather = Gather(server.ask)
    answers = await asyncio.gather(*(gather.get(key) for key in ("a", "b", "a", "none")))
    assert answers == [0, 0, 0, None]
    assert server.asked == [["a", "b", "none"]]


async def test_a_question_begins_after_everyone_in_it_had_asked():
    server = Server()
    gather = Gather(server.ask, questions_max=1)
    early = asyncio.create_task(gather.get("a"))
    await started()
    server.now = 1
    late = asyncio.create_task(gather.get("a"))
    await started()
    server.lets.set()
    assert (await early, await late) == (0, 1)


async def test_one_who_goes_away_takes_nobody_along():
    server = Server()
    gather = Gather(server.ask)
    leaving, staying = (asyncio.create_task(gather.get("a")) for _ in range(2))
    await started()
    leaving.cancel()
    server.lets.set()
    assert await staying == 0
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_fault_is_told_to_all_who_asked_and_to_nobody_after_them():
    server = Server()
    gather = Gather(server.ask, questions_max=1)
    asking = [asyncio.create_task(gather.get(key)) for key in ("a", "b")]
    await started()
    server.error = OSError("away")
    server.lets.set()
    assert [type(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == [
        OSError,
        OSError,
    ]
    server.error = None
    assert await gather.get("a") == 0


async def test_questions_have_limits():
    server = Server()
    gather = Gather(server.ask, keys_max=2, questions_max=1, waiting_max=3)
    asking = [asyncio.create_task(gather.get(key)) for key in "ab"]
    await started()
    asking += [asyncio.create_task(gather.get(key)) for key in "cde"]
    await started()
    with pytest.raises(Crowded):
        await gather.get("f")
    assert server.asked == [["a", "b"]]
    server.lets.set()
    await asyncio.gather(*asking)
    assert server.asked == [["a", "b"], ["c", "d"], ["e"]]
