"""Letters, and the server they are handed to."""

from __future__ import annotations

import asyncio
import datetime as dates
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flamewire_ledger.mail.message import Attachment, Letter, message_of
from flamewire_ledger.mail.smtp import NotSent, Server, Smtp, WrongUrl
from tests.mail.servers import MailServer, mail_server

NOON = dates.datetime(2026, 1, 1, 12, tzinfo=dates.UTC)


def letter(**changes: object) -> Letter:
    given = {
        "message_id": "<inv_1@shop.example>",
        "sender": "billing@shop.example",
        "sender_name": "Bäckerei",
        "to": "ada@example.com",
        "subject": "Invoice 2026-000001",
        "text": "Grüße\n",
        "at": NOON,
        "attachments": (Attachment("invoice.pdf", b"%PDF-1.7 \x00\xff", "application/pdf"),),
    }
    return Letter(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server on this machine shows, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dates.datetime.now(dates.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dates.timedelta(days=1))
        .not_valid_after(now + dates.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return shown, ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))


async def test_a_letter_arrives_as_it_was_written() -> None:
    async with mail_server() as server:
        await Smtp(Server.of(server.url)).send(letter())
    (taken,) = server.taken
    assert taken["Message-ID"] == "<inv_1@shop.example>"
    assert taken["From"].addresses[0].display_name == "Bäckerei"
    body = taken.get_body()
    assert body is not None
    assert body.get_content().strip() == "Grüße"
    (attached,) = taken.iter_attachments()
    assert attached.get_filename() == "invoice.pdf"
    assert attached.get_content() == b"%PDF-1.7 \x00\xff"


def test_the_same_letter_is_the_same_bytes() -> None:
    assert message_of(letter()).as_bytes() == message_of(letter()).as_bytes()


def test_text_from_outside_adds_no_header() -> None:
    sent = message_of(letter(subject="a\r\nBcc: eve@example.com", sender_name="x\r\nBcc: y\n"))
    assert sent["Bcc"] is None
    assert sent["Subject"] == "a  Bcc: eve@example.com"


@pytest.mark.parametrize(
    "sign", ["\r\n", "\n ", "\r", "\x00", "\x85", "\u2028", "\u2029", "\u202e"]
)
async def test_whatever_a_name_has_in_it_the_letter_goes_out_as_one(sign: str) -> None:
    name = f"Shop{sign}Bcc: eve@example.com{sign}" + "x" * 300
    async with mail_server() as server:
        await Smtp(Server.of(server.url)).send(
            letter(subject=f"Invoice 1 from {name}", sender_name=name, text=f"From {name}\n")
        )
    (taken,) = server.taken
    assert [it for it in taken if it in ("Bcc", "Cc")] == []
    assert [it.addr_spec for it in taken["To"].addresses] == ["ada@example.com"]
    assert [it.addr_spec for it in taken["From"].addresses] == ["billing@shop.example"]
    assert taken["Subject"].startswith("Invoice 1 from Shop ")
    assert not set("\r\n\u2028\u2029\u202e") & set(taken["Subject"])
    assert [it.get_filename() for it in taken.iter_attachments()] == ["invoice.pdf"]


@pytest.mark.parametrize(
    "name",
    [
        "Shop, eve@example.com",
        "Shop eve@example.com " + "and more " * 20,
        "Shop: friends; " + "of many words " * 9,
        'The "best" <eve@example.com> ' + "shop " * 20,
        "Bäckerei <eve@example.com>, " + "é " * 60,
        "x," * 60,
        "Bäckerei, eve@example.com",
        "eve@example.com, " + "and others, " * 6 + "Ö",
        "Ö " + "and others, eve@example.com; " * 4,
    ],
)
async def test_a_name_is_taken_for_no_address_however_long_it_is(name: str) -> None:
    async with mail_server() as server:
        await Smtp(Server.of(server.url)).send(letter(sender_name=name))
    (sender,) = server.taken[0]["From"].addresses
    assert sender.addr_spec == "billing@shop.example"
    shown = "".join(sender.display_name.split())  # the reader adds spaces between encoded words
    assert "".join(name.split()).startswith(shown.rstrip("…"))
    assert len(shown) > 15


async def test_a_password_is_said_over_tls_only_and_accepted(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    shown, trusting = tls
    async with mail_server(MailServer(user="shop", password="s3cret/@"), shown) as server:
        url = f"smtp://shop:s3cret%2F%40@127.0.0.1:{server.port}"
        await Smtp(Server.of(url), tls=lambda: trusting).send(letter())
    assert len(server.taken) == 1


async def test_a_server_that_nobody_vouches_for_gets_nothing(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with mail_server(tls=tls[0]) as server:
        with pytest.raises(NotSent, match="cannot be reached") as refusal:
            await Smtp(Server.of(server.url)).send(letter())
    assert not refusal.value.is_final
    assert server.taken == []


async def test_no_failure_tells_the_password(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    shown, trusting = tls
    async with mail_server(MailServer(user="shop", password="right"), shown) as server:
        url = f"smtp://shop:wrong-s3cret@127.0.0.1:{server.port}"
        with pytest.raises(NotSent, match="refused our password") as refusal:
            await Smtp(Server.of(url), tls=lambda: trusting).send(letter())
    assert "wrong-s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "is_final"), [("550 no such user", True), ("452 mailbox full", False)]
)
async def test_what_is_refused_for_good_is_told_from_what_may_pass(
    said: str, is_final: bool
) -> None:
    async with mail_server(MailServer(refused=said)) as server:
        with pytest.raises(NotSent, match=said[:3]) as refusal:
            await Smtp(Server.of(server.url)).send(letter())
    assert refusal.value.is_final == is_final


@pytest.mark.parametrize(
    ("said", "is_final"),
    [("554 you are not known", False), ("530 log in first", False), ("552 too large", True)],
)
async def test_what_is_refused_of_us_can_be_mended_while_the_letter_waits(
    said: str, is_final: bool
) -> None:
    async with mail_server(MailServer(refused_sender=said)) as server:
        with pytest.raises(NotSent, match=said[:3]) as refusal:
            await Smtp(Server.of(server.url)).send(letter())
    assert (refusal.value.is_final, server.raw) == (is_final, [])


@pytest.mark.parametrize(("said", "is_final"), [("554 spam", True), ("450 greylisted", False)])
async def test_what_is_said_to_the_letter_itself_counts_as_well(said: str, is_final: bool) -> None:
    async with mail_server(MailServer(answer=said)) as server:
        with pytest.raises(NotSent, match=said[:3]) as refusal:
            await Smtp(Server.of(server.url)).send(letter())
    assert refusal.value.is_final == is_final


async def test_a_letter_that_is_too_large_for_the_server_is_not_tried_again() -> None:
    large = (Attachment("invoice.pdf", bytes(200_000), "application/pdf"),)
    async with mail_server(MailServer(size_max=100_000)) as server:
        post = Smtp(Server.of(server.url))
        with pytest.raises(NotSent, match="552") as refusal:
            await post.send(letter(attachments=large))
        await post.send(letter())
    assert refusal.value.is_final
    assert len(server.taken) == 1


async def test_a_server_without_letters_outside_ascii_is_asked_once() -> None:
    async with mail_server() as server:
        with pytest.raises(NotSent, match="outside ASCII") as refusal:
            await Smtp(Server.of(server.url)).send(letter(to="ada@bücher.example"))
    assert (refusal.value.is_final, server.raw) == (True, [])


async def test_a_server_that_hangs_up_or_says_nothing_may_come_back() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    for behaviour in (hang_up, say_nothing):
        listening = await asyncio.start_server(behaviour, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening:
            post = Smtp(Server.of(f"smtp://127.0.0.1:{port}"), timeout_seconds=0.2)
            with pytest.raises(NotSent, match="cannot be reached") as refusal:
                await post.send(letter())
        assert not refusal.value.is_final


async def test_without_tls_nothing_leaves_this_machine() -> None:
    async with mail_server(MailServer(host="127.0.0.2")) as server:  # not known to be this one
        with pytest.raises(NotSent, match="no TLS"):
            await Smtp(Server.of(server.url)).send(letter())
    assert server.raw == []


@pytest.mark.parametrize(
    "to", ["<a@b", "a(b@x.example", '"@x.example', "a..b@x.example", "a@x\r\nBcc: c@d"]
)
async def test_what_is_no_address_is_refused_for_good(to: str) -> None:
    async with mail_server() as server:
        with pytest.raises(NotSent, match="no address") as refusal:
            await Smtp(Server.of(server.url)).send(letter(to=to))
    assert (refusal.value.is_final, server.raw) == (True, [])


async def test_a_server_that_is_not_there_may_come_back() -> None:
    async with mail_server() as server:
        url = server.url
    with pytest.raises(NotSent, match="ConnectionRefused") as refusal:
        await Smtp(Server.of(url)).send(letter())
    assert not refusal.value.is_final


@pytest.mark.parametrize("url", ["http://x:s3cret@y", "smtp://:s3cret@", "smtp://x:s3cret@h:port"])
def test_a_url_of_no_mail_server_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(WrongUrl) as refusal:
        Server.of(url)
    assert "s3cret" not in str(refusal.value)


def test_a_url_says_port_and_tls_by_its_scheme() -> None:
    assert Server.of("smtps://mail.example") == Server("mail.example", 465, None, None, True)
    assert Server.of("smtp://mail.example") == Server("mail.example", 587, None, None, False)
