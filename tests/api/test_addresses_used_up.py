"""A network whose pool of addresses is used up takes no more payments, and the others go on."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.chain import Deposit
from flamewire_ledger.domain.rejection import AddressesUsedUp
from tests.api.world import World


def _none_left(index: int) -> Deposit:
    raise AddressesUsedUp("the addresses of sui are used up: add new ones")


@pytest.fixture
def used_up(door: World, monkeypatch: pytest.MonkeyPatch) -> World:
    (chain,) = [chain for chain in door.chains if chain.network.name == "sui"]
    monkeypatch.setattr(chain, "deposit", _none_left)
    return door


async def test_it_is_left_out_with_its_price_lock(used_up: World):
    answer = await used_up.post("/v1/payment_intents", {"amount": "25.00", "currency": "USD"})
    assert answer.status_code == 201, answer.text
    options = answer.json()["payment_options"]
    assert {option["network"] for option in options} == {"ethereum", "bittensor"}
    locked = [name for name in await used_up.types() if name == "price_lock.locked.v1"]
    assert len(locked) == len([each for each in options if each["price_lock_id"]])


@pytest.mark.parametrize(
    "asked", [{"pay_with": [{"network": "sui", "asset": "SUI"}]}, {"network": "sui"}]
)
async def test_asked_for_by_name_it_is_refused_and_says_what_to_do(
    used_up: World, asked: dict[str, object]
):
    answer = await used_up.post(
        "/v1/payment_intents", {"amount": "25.00", "currency": "USD", **asked}
    )
    assert answer.status_code == 429, answer.text
    assert answer.json()["code"] == "addresses_used_up"
    assert "add new ones" in answer.json()["detail"]
    assert await used_up.types() == []


async def test_requests_in_vain_use_up_no_addresses_that_are_added_later(door: World):
    (chain,) = [chain for chain in door.chains if chain.network.name == "sui"]
    asked: list[int] = []

    def none_left(index: int) -> Deposit:
        asked.append(index)
        return _none_left(index)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chain, "deposit", none_left)
        for _ in range(5):
            await door.post("/v1/payment_intents", {"amount": "25.00", "currency": "USD"})
    assert len(set(asked)) == 1
    body = {"amount": "25.00", "currency": "USD", "network": "sui"}
    (option, *_) = (await door.post("/v1/payment_intents", body)).json()["payment_options"]
    assert option["address"] == chain.deposit(asked[0]).address
