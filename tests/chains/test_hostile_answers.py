"""A node that sends without end, or what takes up more room than it takes to send, is unavailable:
little of it is read, and none of it is kept.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from flamewire_ledger.chains import answers
from flamewire_ledger.chains.answers import AnswerTooLarge, check_answer
from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.ethereum.connection import Node
from flamewire_ledger.chains.substrate.line import Line
from tests.chains.hostile import (
    CHUNK,
    Answer,
    Hostile,
    chunk,
    frame,
    greeting,
    hostile,
    http,
    packed,
    socket,
    whole,
)

LIMIT = 2**20
ROOM = 12 * LIMIT  # of memory, the test's own server included


@pytest.fixture(autouse=True)
def _low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ANSWER_BYTES_MAX", LIMIT)
    monkeypatch.setattr(answers, "ANSWER_PARTS_MAX", LIMIT // 16)


NESTED = b"[" * 50_000
MANY_PARTS = b'{"result":[' + b"[]," * (LIMIT // 16) + b"[]]}"

ETHEREUM: dict[str, Answer] = {
    "chunks without end": http("Transfer-Encoding: chunked", endless=chunk(CHUNK)),
    "a body without end": http("Connection: close", endless=CHUNK),
    "a length of a terabyte": http(f"Content-Length: {2**40}", endless=CHUNK),
    "little that unpacks to much": whole(packed(40 * LIMIT), "gzip"),
    "many parts": whole(MANY_PARTS),
    "lists in lists": whole(NESTED),
    "a list": whole(b"[1, 2]"),
    "a number": whole(b"7"),
    "nothing": whole(b"null"),
    "a text": whole(b'"yes"'),
}


async def unavailable_by(server: Hostile) -> None:
    node = Node(1, f"http://127.0.0.1:{server.port}/secret-key", 1, timeout_seconds=20)
    try:
        for questions in ([("eth_chainId", [])], [("eth_chainId", []), ("net_version", [])]):
            with pytest.raises(ChainUnavailable) as caught:
                await node._ask(questions)
            assert "secret-key" not in str(caught.value)
    finally:
        await node.aclose()


@pytest.mark.parametrize("answer", ETHEREUM.values(), ids=ETHEREUM)
async def test_an_ethereum_node_that_says_too_much_is_unavailable(answer: Answer) -> None:
    async with hostile(answer) as server:
        gc.collect()
        tracemalloc.start()
        try:
            await unavailable_by(server)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert server.sent < ROOM
    assert peak < ROOM


SUBSTRATE: dict[str, Answer] = {
    "a message without end": socket(frame(CHUNK, length=2**62), endless=CHUNK),
    "parts of a message without end": socket(
        frame(CHUNK, is_last=False), endless=frame(CHUNK, opcode=0, is_last=False)
    ),
    "messages without end": socket(endless=frame(b'{"id":0}' + b" " * 9_000)),
    "pings without end": socket(endless=frame(b"x" * 100, opcode=9)),
    "many parts": socket(frame(MANY_PARTS)),
    "lists in lists": socket(frame(NESTED)),
    "a list": socket(frame(b"[1, 2]")),
    "no text": socket(frame(b"\xff\xfe")),
    "a greeting without end": lambda _: iter([b"HTTP/1.1 101 Switching", *([CHUNK] * 1000)]),
    "headers without end": lambda _: iter(
        [b"HTTP/1.1 101 Switching\r\n", *([b"X-Header: yes\r\n" * 5_000] * 1000)]
    ),
    "a refusal without end": lambda _: iter(
        [b"HTTP/1.1 503 no\r\nContent-Length: 99999999999\r\n\r\n", *([CHUNK] * 1000)]
    ),
}


def ask(port: int, seconds: float = 5.0) -> None:
    Line(f"ws://127.0.0.1:{port}/secret-key", seconds).ask([("chain_getBlockHash", [0])])


@pytest.mark.parametrize("answer", SUBSTRATE.values(), ids=SUBSTRATE)
async def test_a_substrate_node_that_says_too_much_is_unavailable(answer: Answer) -> None:
    async with hostile(answer) as server:
        gc.collect()
        tracemalloc.start()
        try:
            with pytest.raises(ChainUnavailable) as caught:
                await asyncio.to_thread(ask, server.port)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert "secret-key" not in str(caught.value)
    assert server.sent < ROOM
    assert peak < ROOM


@pytest.mark.parametrize("is_greeted", [False, True])
async def test_a_byte_now_and_then_is_no_answer(is_greeted: bool) -> None:
    """Each comes in time; all of them together do not."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if is_greeted:
            writer.write(greeting(request) + b"\x81\x7f" + (2**20).to_bytes(8, "big"))
        else:
            writer.write(b"HTTP/1.1 101 ")
        try:
            for _ in range(200):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ChainUnavailable):
        async with asyncio.timeout(5):
            await asyncio.to_thread(ask, port, 0.3)
    server.close()
    await server.wait_closed()


def test_what_honest_nodes_say_is_far_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    log = b'{"address":"0x' + b"a" * 40 + b'","topics":["0x' + b"b" * 64 + b'","0x1"],"data":"0x"},'
    block = (
        b"[" + log * (20 * 2**20 // len(log)) + b"{}]"
    )  # as many transactions as are read at once
    check_answer(block)
    with pytest.raises(AnswerTooLarge):
        check_answer(b" " * (answers.ANSWER_BYTES_MAX + 1))
