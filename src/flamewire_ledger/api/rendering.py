"""Rendering: amounts, times and lists as they look in every answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from flamewire_ledger.domain.money import Amount, Asset, major_text

_NOT_IN_XML: Final = dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")
_encoder: Final = msgspec.json.Encoder(decimal_format="string")


def to_json(value: Any) -> bytes:
    return _encoder.encode(value)


def money(name: str, amount: Amount | None) -> dict[str, str | None]:
    """`name` in major units, and `name_minor` in base units, beside each other."""
    if amount is None:
        return {name: None, f"{name}_minor": None}
    return {name: amount.text, f"{name}_minor": str(amount.units)}


# One amount is shown in several places of an answer, and the same ones in one answer after another.
_major_text: Final = lru_cache(maxsize=10_000)(major_text)


def shown(amount: Amount) -> tuple[str, str]:
    """In major units and in base units, as `money` has them."""
    return _major_text(amount.units, amount.asset.decimals), str(amount.units)


def signed(name: str, asset: Asset, units: int) -> dict[str, str]:
    """As `money`, for a difference that may be negative."""
    text = major_text(abs(units), asset.decimals)
    return {name: f"-{text}" if units < 0 else text, f"{name}_minor": str(units)}


@lru_cache(maxsize=1024)  # the lines of a batch share their moments
def time(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=1024)  # of tolerances, mostly, and nearly always the same one
def plain(number: int, of: int) -> str:
    """number / of as a plain decimal without needless zeros; `of` is a power of ten."""
    whole, part = divmod(number, of)
    digits = len(str(of)) - 1
    text = f"{whole}.{part:0{digits}d}" if digits else str(whole)
    return text.rstrip("0").rstrip(".") if "." in text else text


def for_xml(text: str) -> str:
    """The text as XML can hold it: without two signs that XML 1.0 has no way to write."""
    return text.translate(_NOT_IN_XML)


def as_list(data: Sequence[Any], *, has_more: bool, **more: Any) -> bytes:
    return to_json({"object": "list", "data": data, "has_more": has_more, **more})
