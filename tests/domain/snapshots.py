"""A folded state through JSON and back, as the writer's snapshots take it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from flamewire_ledger.domain.money import Amount, Asset

State = TypeVar("State")


def through_json(state: State) -> State:
    encoded = msgspec.json.encode(state, enc_hook=_encoded)
    return msgspec.json.decode(encoded, type=type(state), dec_hook=_decoded)


def _encoded(value: Any) -> Any:
    assert type(value) is Amount, f"a snapshot holds no {type(value)}"
    return {"asset": value.asset.code, "decimals": value.asset.decimals, "units": str(value.units)}


def _decoded(kind: type, value: Any) -> Any:
    assert kind in (Amount, Decimal)
    return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))
