"""Where payers send to: soft children of a public key, remarks, and amounts like no other."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.chains.substrate.deposits import (
    AMOUNTS,
    INDEX_MAX,
    BadAccount,
    DepositAddresses,
    soft_child,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/substrate.json").read_text())
ACCOUNT = bytes.fromhex(VECTORS["soft_derivation"][0]["root_public_hex"][2:])
NUMBERS = [each for each in VECTORS["soft_derivation"] if each["path"][1:].isdigit()]


@pytest.mark.parametrize("vector", NUMBERS, ids=lambda vector: vector["path"])
def test_an_address_is_the_one_that_polkadot_js_derives(vector: dict[str, Any]) -> None:
    index = int(vector["path"][1:])
    account = bytes.fromhex(vector["root_public_hex"][2:])
    deposits = DepositAddresses(account, 42, "address")
    assert soft_child(account, index).hex() == vector["child_public_hex"][2:]
    assert deposits.deposit(index).address == vector["address"]
    assert deposits.deposit(index).derivation == f"{account.hex()[:8]}/{index}"


def test_the_vectors_have_numbers_beyond_four_bytes() -> None:
    assert max(int(vector["path"][1:]) for vector in NUMBERS) >= 2**32


def test_a_junction_of_many_is_the_child_of_a_child() -> None:
    for vector in VECTORS["soft_derivation"]:
        account = bytes.fromhex(vector["root_public_hex"][2:])
        for chain_code in vector["chain_codes_hex"]:
            junction = int.from_bytes(bytes.fromhex(chain_code[2:]), "little")
            account = soft_child(account, junction)
        assert account.hex() == vector["child_public_hex"][2:], vector["path"]


def test_numbers_end_where_wallets_do() -> None:
    deposits = DepositAddresses(ACCOUNT, 42, "address")
    assert deposits.deposit(INDEX_MAX).address
    for index in (-1, INDEX_MAX + 1):
        with pytest.raises(ValueError, match="from 0 to"):
            deposits.deposit(index)


@pytest.mark.parametrize("account", [bytes(32), b"\xff" * 32, b"\x01" * 32])
def test_an_account_without_children_of_its_own_is_refused(account: bytes) -> None:
    with pytest.raises(BadAccount) as caught:
        DepositAddresses(account, 42, "address")
    assert account.hex() not in str(caught.value)
    assert caught.value.__cause__ is None


def test_marked_payments_share_the_account_and_each_has_a_memo() -> None:
    deposits = DepositAddresses(ACCOUNT, 42, "mark")
    made = [deposits.deposit(index) for index in range(2000)]
    assert {each.address for each in made} == {ss58_address(ACCOUNT, 42)}
    assert len({each.memo for each in made}) == len({each.mark for each in made}) == 2000
    for each in made[:50]:
        assert each.memo is not None
        assert len(each.memo) < 16
        digest = hashlib.blake2b(each.memo.encode(), digest_size=32).hexdigest()
        assert each.mark == f"0x{digest}"
        assert each.derivation
    assert deposits.deposit(7) == made[7]


def test_no_slip_in_a_memo_makes_another_payments_memo() -> None:
    deposits = DepositAddresses(ACCOUNT, 42, "mark")
    memos = {deposits.deposit(index).memo for index in range(3000)}
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    memo = deposits.deposit(1234).memo
    assert memo is not None
    slips = {
        memo[:place] + letter + memo[place + 1 :]
        for place in range(len(memo))
        for letter in letters
    } - {memo}
    assert not slips & memos


def test_any_account_can_be_shared() -> None:
    for identifies_by in ("mark", "amount"):
        multisig = DepositAddresses(b"\xff" * 32, 42, identifies_by)  # type: ignore[arg-type]
        assert multisig.deposit(1).address == ss58_address(b"\xff" * 32, 42)


def test_payments_told_apart_by_amount_differ_by_little() -> None:
    deposits = DepositAddresses(ACCOUNT, 2, "amount")
    made = [deposits.deposit(index) for index in range(AMOUNTS)]
    assert len({each.adds_units for each in made}) == AMOUNTS
    assert max(each.adds_units for each in made) < AMOUNTS
    assert deposits.deposit(AMOUNTS + 3) == made[3]
    assert {each.address for each in made} == {ss58_address(ACCOUNT, 2)}
