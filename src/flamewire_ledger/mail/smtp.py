"""The SMTP server that letters are handed to. TLS from the first byte (`smtps`) or before anything
that matters is said (`smtp`, STARTTLS); without TLS only on this machine.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.errors import MessageError
from typing import Final
from urllib.parse import unquote, urlsplit

from flamewire_ledger.mail.message import Letter, message_of

TIMEOUT_SECONDS: Final = 30.0
_REASON_MAX: Final = 200
_TOO_LARGE: Final = 552  # said to the size that is told with the sender (RFC 1870)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class NotSent(Exception):
    """The letter was not taken. `is_final`: trying again would not help."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class WrongUrl(ValueError):
    """The URL names no SMTP server. The sentence does not repeat it: it may hold a password."""


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    port: int
    user: str | None
    password: str | None
    is_tls: bool  # from the first byte

    @classmethod
    def of(cls, url: str) -> Server:
        """`smtp://user:password@host:587` or `smtps://…:465`. Raises WrongUrl."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise WrongUrl("it is no URL") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise WrongUrl("it is smtp://host or smtps://host")
        is_tls = parts.scheme == "smtps"
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, port or (465 if is_tls else 587), user, password, is_tls)


class Smtp:
    """Sends one letter at a time, over a connection of its own: there are few."""

    def __init__(
        self,
        server: Server,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    async def send(self, letter: Letter) -> None:
        """Returns when the server has taken it. Raises NotSent, which names no secret."""
        await asyncio.to_thread(self._send, letter)

    def _send(self, letter: Letter) -> None:
        try:
            with self._connected() as connection:
                refused = connection.send_message(
                    message_of(letter), from_addr=letter.sender, to_addrs=[letter.to]
                )
                assert not refused, "one recipient: all or nothing"
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise NotSent(_said(code, said), is_final=_is_final(code)) from None
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(f"the mail server refused our password ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            reason = _said(error.smtp_code, error.smtp_error)
            raise NotSent(reason, is_final=_is_about_the_letter(error)) from None
        except smtplib.SMTPNotSupportedError:
            reason = "the mail server takes no address with letters outside ASCII"
            raise NotSent(reason, is_final=True) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"the mail server cannot be reached: {type(error).__name__}") from None
        except (ValueError, MessageError) as error:
            raise NotSent(f"this is no address: {error}"[:_REASON_MAX], is_final=True) from None

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP
        if server.is_tls:
            connection = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout_seconds, context=self._tls()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=self._timeout_seconds)
        try:
            connection.ehlo()
            if not server.is_tls:
                self._protect(connection)
            if server.user is not None:
                connection.login(server.user, server.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _protect(self, connection: smtplib.SMTP) -> None:
        if connection.has_extn("starttls"):
            connection.starttls(context=self._tls())
            connection.ehlo()
        elif self._server.host not in _LOOPBACK:
            raise NotSent("the mail server offers no TLS, and invoices are not sent without it")


def _is_final(code: int) -> bool:
    """5xx about this letter. Out of room or of patience is 4xx."""
    return 500 <= code < 600


def _is_about_the_letter(error: smtplib.SMTPResponseException) -> bool:
    """And not about us: a server that refuses our name or our sender can be mended while we wait."""
    if isinstance(error, smtplib.SMTPDataError):
        return _is_final(error.smtp_code)
    return isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code == _TOO_LARGE


def _said(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"the mail server said {code}: {' '.join(text.split())}"[:_REASON_MAX]
