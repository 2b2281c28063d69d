"""Prices as JSON: what events keep and the API takes. Numbers are decimal strings, never JSON numbers.

{"model": "graduated", "tiers": [{"up_to": "1000", "unit_price": "0.01"}, {"unit_price": "0.005"}]}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, assert_never

from flamewire_ledger.billing.price_models import (
    TIERS_MAX,
    Commitment,
    Graduated,
    MissingKey,
    NegativePrice,
    NumberInvalid,
    Package,
    Percentage,
    Price,
    PriceInvalid,
    Standard,
    Tier,
    UnknownKey,
    UnknownModel,
    Volume,
)
from flamewire_ledger.domain.money import PRICE_DIGITS_MAX

_PLAIN = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\Z")
_TEXT_MAX: Final = 2 * PRICE_DIGITS_MAX + 1


def to_data(price: Price) -> dict[str, Any]:
    """The price as JSON has it. `from_data` of it is an equal price."""
    match price:
        case Standard():
            return {"model": "standard", "unit_price": _text(price.unit_price), **_free(price.free)}
        case Graduated():
            return {"model": "graduated", "tiers": _tiers(price.tiers), **_free(price.free)}
        case Volume():
            return {"model": "volume", "tiers": _tiers(price.tiers), **_free(price.free)}
        case Package():
            sized = {"price": _text(price.price), "size": _text(price.size)}
            return {"model": "package", **sized, **_free(price.free)}
        case Percentage():
            data = {"model": "percentage", "percent": _text(price.percent)}
            if price.minimum is not None:
                data["minimum"] = _text(price.minimum)
            if price.maximum is not None:
                data["maximum"] = _text(price.maximum)
            return data
        case Commitment():
            return {
                "model": "commitment",
                "commit": _text(price.commit),
                "price": to_data(price.price),
            }
        case _:
            assert_never(price)


def from_data(data: Any) -> Price:
    """The price that JSON describes. Raises PriceInvalid, whose pointer names the field at fault."""
    fields = _object(data)
    model = fields.get("model")
    if not isinstance(model, str) or model not in _MODELS:
        raise UnknownModel(f"model is one of {', '.join(sorted(_MODELS))}", "/model")
    return _MODELS[model](fields)


def _standard(data: Mapping[str, Any]) -> Standard:
    _only(data, "model", "unit_price", "free")
    return Standard(_number(data, "unit_price"), _number(data, "free", "0"))


def _graduated(data: Mapping[str, Any]) -> Graduated:
    _only(data, "model", "tiers", "free")
    return Graduated(_tiers_of(data), _number(data, "free", "0"))


def _volume(data: Mapping[str, Any]) -> Volume:
    _only(data, "model", "tiers", "free")
    return Volume(_tiers_of(data), _number(data, "free", "0"))


def _package(data: Mapping[str, Any]) -> Package:
    _only(data, "model", "price", "size", "free")
    return Package(_number(data, "price"), _number(data, "size"), _number(data, "free", "0"))


def _percentage(data: Mapping[str, Any]) -> Percentage:
    _only(data, "model", "percent", "minimum", "maximum")
    minimum, maximum = _number_or_none(data, "minimum"), _number_or_none(data, "maximum")
    return Percentage(_number(data, "percent"), minimum, maximum)


def _commitment(data: Mapping[str, Any]) -> Commitment:
    _only(data, "model", "commit", "price")
    if "price" not in data:
        raise MissingKey("price is required", "/price")
    inner = data["price"]
    if isinstance(inner, Mapping) and inner.get("model") == "commitment":
        raise PriceInvalid("a commitment is to charges, not to a commitment", "/price/model")
    try:
        price = from_data(inner)
    except PriceInvalid as fault:
        raise fault.within("/price") from None
    assert not isinstance(price, Commitment), "refused above"
    return Commitment(price, _number(data, "commit"))


_MODELS: Final[Mapping[str, Callable[[Mapping[str, Any]], Price]]] = {
    "standard": _standard,
    "graduated": _graduated,
    "volume": _volume,
    "package": _package,
    "percentage": _percentage,
    "commitment": _commitment,
}


def _tiers_of(data: Mapping[str, Any]) -> tuple[Tier, ...]:
    tiers = data.get("tiers")
    if not isinstance(tiers, list | tuple) or not 1 <= len(tiers) <= TIERS_MAX:
        raise PriceInvalid(f"tiers is an array of 1 to {TIERS_MAX} tiers", "/tiers")
    found = []
    for index, each in enumerate(tiers):
        try:
            tier = _object(each)
            _only(tier, "up_to", "unit_price", "flat")
            found.append(
                Tier(
                    _number_or_none(tier, "up_to"),
                    _number(tier, "unit_price"),
                    _number(tier, "flat", "0"),
                )
            )
        except PriceInvalid as fault:
            raise fault.within(f"/tiers/{index}") from None
    return tuple(found)


def _object(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise PriceInvalid("a JSON object is expected here")
    return data


def _only(data: Mapping[str, Any], *known: str) -> None:
    for key in data:
        if key not in known:
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            raise UnknownKey(f"only {', '.join(known)} are known here", f"/{escaped}")


def _number_or_none(data: Mapping[str, Any], key: str) -> Decimal | None:
    return None if data.get(key) is None else _number(data, key)


def _number(data: Mapping[str, Any], key: str, default: str | None = None) -> Decimal:
    text = data.get(key, default)
    if text is None:
        raise MissingKey(f"{key} is required", f"/{key}")
    if not isinstance(text, str) or len(text) > _TEXT_MAX:
        raise NumberInvalid('a number is a plain decimal in a string, such as "0.25"', f"/{key}")
    if text.startswith("-") and _PLAIN.match(text[1:]):
        raise NegativePrice("nothing here is below zero", f"/{key}")
    if not _PLAIN.match(text):
        raise NumberInvalid('a number is a plain decimal in a string, such as "0.25"', f"/{key}")
    return Decimal(text)


def _tiers(tiers: tuple[Tier, ...]) -> list[dict[str, str]]:
    return [
        {
            **({} if tier.up_to is None else {"up_to": _text(tier.up_to)}),
            "unit_price": _text(tier.unit_price),
            **({} if not tier.flat else {"flat": _text(tier.flat)}),
        }
        for tier in tiers
    ]


def _free(free: Decimal) -> dict[str, str]:
    return {"free": _text(free)} if free else {}


def _text(value: Decimal) -> str:
    return f"{value:f}"
