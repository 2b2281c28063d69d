"""A table of the networks file, read key by key: what is wrong is said with the network and the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

_SYMBOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,15}\Z")
T = TypeVar("T")


class NetworksFileError(Exception):
    """The networks file cannot be used; the message says what to correct."""


@dataclass(slots=True)
class Table:
    """A TOML table that is read key by key; `what` names it in errors."""

    what: str
    table: Mapping[str, Any]
    read: set[str] = field(default_factory=lambda: {"name", "kind"})

    def wrong(self, key: str, why: str) -> NetworksFileError:
        return NetworksFileError(f"{self.what} in the networks file: {key} {why}")

    def typed(self, key: str, kind: type[T], called: str, default: T | None = None) -> T:
        self.read.add(key)
        if key not in self.table:
            if default is None:
                raise self.wrong(key, "is missing")
            return default
        value = self.table[key]
        if type(value) is not kind:
            raise self.wrong(key, f"is {called}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.typed(key, str, "a text in quotes", default)
        if not value:
            raise self.wrong(key, "is empty")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        return self.typed(key, bool, "true or false", default)

    def number(self, key: str, default: int | None = None, *, least: int, most: int = 2**53) -> int:
        value = self.typed(key, int, "a whole number", default)
        if not least <= value <= most:
            raise self.wrong(key, f"is a whole number from {least} to {most}")
        return value

    def symbol(self, default: str | None = None) -> str:
        symbol = self.text("symbol", default)
        if not _SYMBOL.match(symbol):
            raise self.wrong("symbol", "is up to 16 letters and digits, such as USDC")
        return symbol

    def urls(self, key: str, *schemes: str) -> tuple[str, ...]:
        """One URL at least, each of one of these schemes."""
        urls = self.typed(key, list, "an array of URLs")
        if not urls or not all(isinstance(url, str) for url in urls):
            raise self.wrong(key, "is an array of URLs, one at least")
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in schemes or not parts.hostname:
                start = " or ".join(f"{scheme}://" for scheme in schemes)
                raise self.wrong(key, f"are URLs that start with {start}")
        return tuple(urls)

    def refuse_others(self) -> None:
        """A key that nobody reads is most often a slip of the pen."""
        unknown = sorted(self.table.keys() - self.read)
        if unknown:
            raise self.wrong(unknown[0], "is not known")
