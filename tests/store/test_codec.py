"""Events go to JSON and come back equal, whatever their age."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
import pytest

from flamewire_ledger.domain.credit_account import (
    CREDIT,
    CreditAccountOpened,
    CreditsConsumed,
    Slice,
)
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.posting import Posting
from flamewire_ledger.domain.price_lock import PriceLocked, Quote
from flamewire_ledger.store.codec import Codec, UnknownEventType, event_classes
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.upcasters import next_version

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)


def recorded(event_type: str, data: bytes) -> RecordedEvent:
    return RecordedEvent(1, 0, "s", 1, event_type, data, "mer_1", uuid4(), b"{}", NOON)


def there_and_back(codec: Codec, event: Any) -> Any:
    new = codec.encode(event)
    return codec.decode(recorded(new.type, new.data))


def test_every_event_of_the_domain_has_a_type_of_its_own():
    types = {event_class.type for event_class in event_classes()}
    assert {"payment.requested.v1", "credit_account.granted.v1", "invoice.issued.v1"} <= types
    assert len(types) == len(event_classes())


@pytest.mark.parametrize("code", ['ethereum:"x"', "sui:\\u20ac\\", "ethereum:\n€😀"])
@pytest.mark.parametrize("decimals", [0, 18])
def test_whatever_a_token_is_called_its_amount_is_json(code: str, decimals: int):
    amount = Amount(Asset(code, decimals), 7)
    event = CreditAccountOpened("ca_1", None, None, amount, NOON)
    written = msgspec.json.decode(Codec().encode(event).data)["overage_max"]
    assert written == {"asset": code, "decimals": decimals, "units": "7"}
    assert there_and_back(Codec(), event) == event


def test_an_amount_carries_its_units_as_text():
    event = CreditAccountOpened("ca_1", None, "Ann", Amount(CREDIT, 2**255), NOON)
    data = msgspec.json.decode(Codec().encode(event).data)
    assert data == {
        "account_id": "ca_1",
        "external_id": None,
        "name": "Ann",
        "overage_max": {"asset": "CREDIT", "decimals": 6, "units": str(2**255)},
        "opened_at": "2026-11-22T12:00:00.123456Z",
    }


def test_nested_facts_come_back_equal():
    event = CreditsConsumed(
        account_id="ca_1",
        amount=Amount(CREDIT, 5),
        slices=(Slice("gr_1", 3), Slice("gr_2", 2)),
        overage=Amount(CREDIT, 0),
        reference=None,
        postings=(Posting("credits:consumed", "credits:available:ca_1", Amount(CREDIT, 5)),),
        consumed_at=NOON,
    )
    assert there_and_back(Codec(), event) == event


def test_a_price_keeps_every_digit_and_is_text():
    rate = Rate(TAO, USD, Decimal("412.500000000000000001"))
    quote = Quote("kraken", Decimal("412.50"), NOON)
    event = PriceLocked("pl_1", rate, (quote,), None, NOON, NOON)
    data = msgspec.json.decode(Codec().encode(event).data)
    assert data["rate"] == {
        "base": {"code": "bittensor:TAO", "decimals": 9},
        "quote": {"code": "USD", "decimals": 2},
        "price": "412.500000000000000001",
    }
    assert there_and_back(Codec(), event) == event


@dataclass(frozen=True, slots=True)
class ThingNamed:
    type: ClassVar = "thing.named.v3"
    given_name: str
    size: Amount


def _rename(data: dict[str, Any]) -> dict[str, Any]:
    return {"given_name": data["name"], "size": data["size"]}


def _give_size(data: dict[str, Any]) -> dict[str, Any]:
    size = {"asset": "USD", "decimals": 2, "units": data["size"]}
    return {**data, "size": size}


def test_an_old_shape_is_lifted_step_by_step():
    steps = {"thing.named.v1": _give_size, "thing.named.v2": _rename}
    codec = Codec([ThingNamed], steps)
    newest = ThingNamed("Ann", Amount(USD, 7))
    assert codec.decode(recorded("thing.named.v1", b'{"name":"Ann","size":"7"}')) == newest
    second = b'{"name":"Ann","size":{"asset":"USD","decimals":2,"units":"7"}}'
    assert codec.decode(recorded("thing.named.v2", second)) == newest
    assert there_and_back(codec, newest) == newest


def test_a_type_that_nothing_leads_to_is_named_in_the_error():
    codec = Codec([ThingNamed], {})
    with pytest.raises(UnknownEventType, match=r"thing\.named\.v9"):
        codec.decode(recorded("thing.named.v9", b"{}"))


def test_the_next_version_of_a_type():
    assert next_version("payment.requested.v9") == "payment.requested.v10"


@dataclass(frozen=True, slots=True)
class State:
    balance: Amount
    by_key: dict[tuple[str, int], Amount]
    seen: frozenset[str]


def test_a_state_goes_into_a_snapshot_and_comes_back():
    state = State(Amount(USD, 5), {("a", 1): Amount(USD, 1)}, frozenset({"x", "y"}))
    codec = Codec([])
    assert codec.decode_state(codec.encode_state(state), State) == state
    with pytest.raises(msgspec.MsgspecError):
        codec.decode_state(codec.encode_state({"balance": 1}), State)
