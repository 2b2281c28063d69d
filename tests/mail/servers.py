"""A mail server on this machine that keeps what it is given, or refuses it as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass
class MailServer:
    host: str = "127.0.0.1"
    port: int = 0
    answer: str = "250 taken"
    refused: str | None = None  # said to every recipient
    refused_sender: str | None = None
    size_max: int | None = None  # of a letter, in bytes
    user: str | None = None
    password: str | None = None
    taken: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    tried: int = 0

    async def handle_MAIL(  # noqa: N802 - as the library calls it
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.refused_sender or "250 OK"

    async def handle_RCPT(  # noqa: N802 - as the library calls it
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.tried += 1
        if self.refused is not None:
            return self.refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            message = message_from_bytes(envelope.content, policy=POLICY)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
        return self.answer

    def check(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        known = (self.user or "").encode(), (self.password or "").encode()
        return AuthResult(success=(data.login, data.password) == known, handled=False)

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"


@asynccontextmanager
async def mail_server(
    server: MailServer | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """With `tls` it asks for STARTTLS, and for its user and password when it has them."""
    kept = server or MailServer()
    options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None}
    if kept.size_max is not None:
        options["data_size_limit"] = kept.size_max
    if kept.user is not None:
        options |= {"authenticator": kept.check, "auth_required": True}
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(kept, **options), kept.host, 0)
    kept.port = listening.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        listening.close()
        await listening.wait_closed()
