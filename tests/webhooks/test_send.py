"""One attempt: to the address that was judged, within bounds, and told of in plain sentences."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flamewire_ledger.webhooks.addresses import LOOPBACK, Reach
from flamewire_ledger.webhooks.post import NotSent, Reply
from flamewire_ledger.webhooks.send import Sender
from tests.webhooks.certificates import authority
from tests.webhooks.receiver import Receiver, receiving

SANDBOX = Reach(LOOPBACK)


@asynccontextmanager
async def sender(**changes: object) -> AsyncIterator[Sender]:
    made = Sender(ssl.create_default_context(), **{"attempt_seconds": 1, **changes})  # type: ignore[arg-type]
    yield made
    await made.aclose()


async def send(made: Sender, url: str, reach: Reach = SANDBOX) -> Reply:
    return await made.send(url, {"webhook-id": "evt_1"}, b"{}", reach)


async def test_what_is_sent_and_what_is_said(tmp_path: Path):
    async with receiving() as receiver, sender() as made:
        reply = await send(made, f"{receiver.url}?shop=1")
    assert (reply.status, reply.body, reply.is_taken) == (200, "thanks", True)
    (received,) = receiver.received
    assert received.path == "/hook?shop=1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == "evt_1"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_redirect_is_followed_nowhere():
    async with receiving() as other:
        receiver = Receiver(answer=f"302 Found\r\nLocation: {other.url}")
        async with receiving(receiver), sender() as made:
            assert (await send(made, receiver.url)).status == 302
    assert other.received == []


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch):
    async with receiving() as proxy, receiving() as receiver, sender() as made:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await send(made, receiver.url)
    assert proxy.received == []


async def test_a_slow_endpoint_has_so_long_and_no_longer():
    async with (
        receiving(Receiver(release=asyncio.Event())) as receiver,
        sender(attempt_seconds=0.2) as made,
    ):
        with pytest.raises(NotSent, match=r"no answer within 0\.2 s"):
            await send(made, receiver.url)


async def test_a_body_that_never_ends_is_cut_and_its_status_counts():
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with sender(attempt_seconds=3) as made:
        port = server.sockets[0].getsockname()[1]
        reply = await send(made, f"http://127.0.0.1:{port}/")
    server.close()
    assert (reply.status, reply.body) == (200, "x" * 1024)


async def test_a_body_that_trickles_does_not_turn_success_into_failure():
    async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        await writer.drain()
        await asyncio.sleep(5)

    server = await asyncio.start_server(trickling, "127.0.0.1", 0)
    async with sender(attempt_seconds=0.7) as made:
        port = server.sockets[0].getsockname()[1]
        reply = await send(made, f"http://127.0.0.1:{port}/")
    server.close()
    assert (reply.status, reply.body) == (200, "ab")


async def test_what_is_kept_of_an_answer_is_text_that_can_be_kept():
    receiver = Receiver(body=b"a\x00b\x1b[31m\xff\n" + b"y" * 5000)
    async with receiving(receiver), sender() as made:
        body = (await send(made, receiver.url)).body
    assert body.startswith("a\ufffdb\ufffd[31m\ufffd\n")
    assert len(body) == 1024


async def test_no_connection_is_told_without_an_address():
    async with sender() as made:
        with pytest.raises(NotSent, match="the connection was refused") as refused:
            await send(made, "http://127.0.0.1:1/")
        assert "127" not in str(refused.value)
        with pytest.raises(NotSent, match="there is no such host"):
            await send(made, "https://nowhere.invalid/")


async def test_rubbish_is_no_answer():
    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(rubbish, "127.0.0.1", 0)
    async with sender() as made:
        with pytest.raises(NotSent, match="the connection broke"):
            await send(made, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "localhost"])
async def test_this_machine_is_not_reached_under_any_name(host: str):
    async with receiving() as receiver, sender() as made:
        for scheme in ("https", "http"):
            with pytest.raises(NotSent):
                await send(made, f"{scheme}://{host}:{receiver.port}/", Reach())
    assert receiver.received == []


async def test_a_name_that_changes_its_mind_is_reached_where_it_was_judged(tmp_path: Path):
    """It is looked up once for a connection: there is no second answer to fall for."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    server_side, client_side = authority(tmp_path, "shop.example")
    async with receiving(tls=server_side) as receiver:
        made = Sender(client_side, resolve=rebinding, attempt_seconds=2)
        reply = await send(made, f"https://shop.example:{receiver.port}/hook")
        assert reply.status == 200
        assert asked == ["shop.example"]
        assert receiver.received[0].headers["host"] == f"shop.example:{receiver.port}"
        await made.aclose()


async def test_the_certificate_is_that_of_the_name(tmp_path: Path):
    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server_side, client_side = authority(tmp_path, "other.example")
    async with receiving(tls=server_side) as receiver:
        made = Sender(client_side, resolve=here, attempt_seconds=2)
        with pytest.raises(NotSent, match="its certificate is not valid"):
            await send(made, f"https://shop.example:{receiver.port}/")
        await made.aclose()
    assert receiver.received == []


async def test_a_name_with_a_private_address_among_its_own_is_refused():
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "10.0.0.1"]

    made = Sender(ssl.create_default_context(), resolve=mixed)
    with pytest.raises(NotSent, match="not public"):
        await send(made, "https://shop.example/", Reach())
    await made.aclose()


async def test_a_name_server_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
):
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("flamewire_ledger.webhooks.send._CONNECT_SECONDS", 0.05)
    made = Sender(ssl.create_default_context(), resolve=silent)
    with pytest.raises(NotSent, match="could not be looked up in time"):
        await send(made, "https://shop.example/", Reach())
    await made.aclose()
