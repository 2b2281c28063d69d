"""Names of accounts and assets as other programs allow them, and back.

Beancount is the strictest: five roots, parts that begin with a capital or a digit and hold letters, digits
and dashes; commodities of at most 24 capitals, digits, dots and dashes. `liabilities:customer_unapplied`
is `Liabilities:Customer-unapplied`, `ethereum:USDC` is `USDC.ETHEREUM`. Whatever else stands in a name is
written as X and two letters a byte, so that two names never become one, and every account is found again.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from flamewire_ledger.domain.money import MoneyError

_ROOTS: Final = {
    "assets": "Assets",
    "liabilities": "Liabilities",
    "equity": "Equity",
    "income": "Income",
    "expenses": "Expenses",
    "credits": "Equity:Credits",
}
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9]*\Z")
_NETWORK: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
_ESCAPED: Final = re.compile(r"X([A-P])([A-P])")
_COMMODITY_CHARACTERS_MAX: Final = 24


def account_name(account: str) -> str:
    """`assets:wallet:ethereum` → `Assets:Wallet:Ethereum`."""
    root, *parts = account.split(":")
    if root not in _ROOTS or not parts or not all(parts):
        raise MoneyError(f"{account} is no account: it begins with one of {', '.join(_ROOTS)}")
    named = [_part(part) for part in parts]
    if root == "equity" and named[0] == "Credits":
        named[0] = _escape("c") + "redits"  # that place is taken by the books of credits
    return ":".join((_ROOTS[root], *named))


def account_of(name: str) -> str:
    """The account that has this name."""
    root, *parts = name.split(":")
    if root == "Equity" and parts[0] == "Credits":
        root, parts = "credits", parts[1:]
    return ":".join((root.lower(), *(_read(part) for part in parts)))


def _part(text: str) -> str:
    first = text[0]
    head = first.upper() if first in _PLAIN and first != "x" else _escape(first)
    return head + "".join(
        "-" if it == "_" else it if it in _PLAIN else _escape(it) for it in text[1:]
    )


def _escape(character: str) -> str:
    return "".join(f"X{chr(65 + (it >> 4))}{chr(65 + (it & 15))}" for it in character.encode())


def _read(part: str) -> str:
    read = bytearray()
    place = 0
    while place < len(part):
        escaped = _ESCAPED.match(part, place)
        if escaped:
            high, low = (ord(letter) - 65 for letter in escaped.groups())
            read.append(high << 4 | low)
            place = escaped.end()
            continue
        character = part[place]
        plain = "_" if character == "-" else character.lower()
        read += plain.encode()
        place += 1
    return read.decode()


def commodity_name(code: str) -> str:
    """`ethereum:USDC` → `USDC.ETHEREUM`. What does not fit has a name made of its digest: the export
    says beside each name which asset it is."""
    network, separator, symbol = code.rpartition(":")
    if _SYMBOL.match(symbol) and (not separator or _NETWORK.match(network)):
        name = f"{symbol}.{network.upper()}" if separator else symbol
        if 2 <= len(name) <= _COMMODITY_CHARACTERS_MAX:
            return name
    letters = re.sub(r"[^A-Z0-9]", "", symbol.upper())[:8]
    return f"A-{letters or 'X'}-{hashlib.sha256(code.encode()).hexdigest()[:10].upper()}"
