"""The load generator: it counts right, sends again with the same key, and omits nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripts.benchmarks.load.commands import WrongAnswer, commands_of
from scripts.benchmarks.load.generator import Generator
from scripts.benchmarks.load.plan import Plan, Result, longs, percentile, read_result, write_result
from tests.benchmarks.server import Server, answer, running


def plan(**given: Any) -> Plan:
    wanted: dict[str, Any] = {
        "addresses": [("127.0.0.1", 1)],
        "work": "consume",
        "prefix": "k",
        "key": "fw_test_x",
        "accounts": ["ca_1"],
        "connections": 4,
        "warm_up_seconds": 0.1,
        "seconds": 0.4,
        "drain_seconds": 2.0,
        "retry_pause_seconds": 0.01,
    }
    return Plan(**{**wanted, **given})


async def run(server: Server, **given: Any) -> Result:
    async with running(server):
        return await Generator(plan(addresses=[server.address], **given)).run()


async def test_every_acknowledgement_is_remembered_with_its_position():
    server = Server()
    result = await run(server)
    found = {f"k-{number}": positions[0] for number, positions in result.positions_by_request()}
    assert found == server.positions
    assert result.acknowledged == len(server.asked) > 0
    assert set(server.asked.values()) == {1}, "each key was sent once"
    assert result.resent_requests == result.lost_connections == 0


async def test_a_result_is_the_same_after_it_was_written_down(tmp_path):
    result = await run(Server())
    write_result(result, tmp_path / "result")
    assert read_result(tmp_path / "result") == result


async def test_a_lost_answer_is_asked_for_again_with_the_same_key():
    async def hang_up_at_first(key: str, times: int) -> bytes | None:
        done = server.acknowledgement(key)  # it was done, and nobody is told
        return None if times == 1 and int(key[2:]) % 5 == 0 else done

    server = Server(hang_up_at_first)
    result = await run(server)
    twice = [key for key, times in server.asked.items() if times == 2]
    assert twice, "answers were lost"
    assert result.acknowledged == len(server.asked), "all came through in the end"
    assert result.lost_connections == result.resent_requests == len(twice)


@pytest.mark.parametrize("status", [409, 503])
async def test_an_answer_that_says_nothing_was_done_sends_the_same_again(status: int):
    async def not_at_first(key: str, times: int) -> bytes:
        return answer(status, {}) if times == 1 else server.acknowledgement(key)

    server = Server(not_at_first)
    result = await run(server)
    assert set(server.asked.values()) == {2}
    assert result.acknowledged == len(server.asked) == result.resent_requests


async def test_what_is_never_answered_is_abandoned_and_said():
    async def never(key: str, times: int) -> None:
        return None

    result = await run(Server(never), tries_max=3, drain_seconds=0.2)
    assert result.acknowledged == 0
    assert result.abandoned


async def test_a_refusal_is_counted_by_its_code():
    async def refuse(key: str, times: int) -> bytes:
        return answer(402, {"code": "insufficient_credits", "detail": "none left"})

    result = await run(Server(refuse))
    assert result.refused["insufficient_credits"] > 0
    assert result.refusal == "insufficient_credits: none left"


async def test_open_loop_counts_all_that_was_due_while_the_server_stood_still():
    stands = asyncio.Event()

    async def stand_still_once(key: str, times: int) -> bytes:
        if key == "k-40":
            await asyncio.sleep(0.4)
            stands.set()
        elif int(key[2:]) > 40:
            await stands.wait()
        return server.acknowledgement(key)

    server = Server(stand_still_once)
    result = await run(server, requests_per_second=200.0, seconds=0.8, connections=2)
    slow = [latency for latency in result.measured_latencies() if latency > 0.1]
    # 0.4 s at 200 a second: some 60 of them waited over 0.1 s, though only two were on their way.
    assert len(slow) > 30
    assert sorted(longs(result.requests)) == list(range(len(server.asked)))
    assert len(server.asked) + len(result.unsent_waits) == result.due_requests


async def test_what_could_not_be_sent_is_reported_with_how_long_it_waited():
    async def never(key: str, times: int) -> bytes:
        await asyncio.sleep(60)
        return b""

    result = await run(Server(never), requests_per_second=100.0, connections=1, drain_seconds=0.1)
    assert len(result.unsent_waits) == result.due_requests - 1
    assert result.measured_latencies() == sorted(result.unsent_waits)
    assert percentile(result.measured_latencies(), 0.99) > 0.3
    assert result.peak_in_flight == 1
    assert result.abandoned == [0]


async def test_a_full_backlog_drops_and_says_so():
    async def never(key: str, times: int) -> bytes:
        await asyncio.sleep(60)
        return b""

    result = await run(
        Server(never), requests_per_second=200.0, connections=1, backlog_requests_max=10,
        drain_seconds=0.0,
    )  # fmt: skip
    assert len(result.unsent_waits) == 10
    assert result.dropped_requests == result.due_requests - 11


async def test_an_answer_in_pieces_is_put_together():
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
            said = server.acknowledgement("one")
            for place in range(0, len(said), 20):
                writer.write(said[place : place + 20])
                await asyncio.sleep(0)

    server = Server()
    server.serve = in_pieces  # type: ignore[method-assign]
    result = await run(server, connections=1)
    assert set(longs(result.positions)) == {1}


async def test_an_answer_about_something_else_ends_the_run():
    async def other(key: str, times: int) -> bytes:
        return answer(200, {"credit_account_id": "ca_2", "position": 1})

    with pytest.raises(WrongAnswer, match="another account"):
        await run(Server(other))


async def test_an_answer_without_a_length_ends_the_run():
    async def endless(key: str, times: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n{}"

    with pytest.raises(ValueError, match="Content-Length"):
        await run(Server(endless))


def line(number: int, **changed: Any) -> dict[str, Any]:
    return {"id": f"k-{number}", "status": "ok", "position": 7 + number, **changed}


def ndjson(*lines: dict[str, Any]) -> bytes:
    return b"\n".join(answer(200, each).partition(b"\r\n\r\n")[2] for each in lines)


def test_the_lines_of_a_batch_are_held_against_what_was_sent():
    commands = commands_of(plan(work="consume_batch", batch=2))
    good = commands.answer(1, 200, b"", ndjson(line(2), line(3)))
    assert good.positions == [9, 10]
    for wrong in ([line(3), line(2)], [line(2)], [line(2), line(4)]):
        with pytest.raises(WrongAnswer):
            commands.answer(1, 200, b"", ndjson(*wrong))


def test_requests_say_how_long_they_are_and_never_use_a_key_twice():
    for work in ("consume", "consume_batch", "payment_batch"):
        commands = commands_of(plan(work=work, batch=3))  # type: ignore[arg-type]
        for number in (0, 7, 12_345):
            head, _, body = commands.request(number).partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}".encode() in head
        assert commands.request(1) != commands.request(2)
