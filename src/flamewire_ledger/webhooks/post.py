"""The post: what delivers a message to an endpoint, and what it says. send.py keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flamewire_ledger.webhooks.addresses import Reach


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered. `body` is its beginning, as text that can be kept anywhere."""

    status: int
    body: str
    retry_after: str | None

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410


class NotSent(Exception):
    """There is no answer. The message is a sentence that names no address and no secret."""


class Post(Protocol):
    """Delivers one message once."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Reply:
        """To an address within reach, and to no other. Raises NotSent."""
