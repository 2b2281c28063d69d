"""How addresses are spelled."""

from __future__ import annotations

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.chains.addresses import (
    evm_address,
    parse_evm,
    parse_ss58,
    parse_sui,
    spell_base58,
    ss58_account,
    ss58_address,
)
from flamewire_ledger.domain.rejection import InvalidAddress

# From EIP-55.
EIP_55 = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
ALICE = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
ALICE_42 = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ALICE_2 = "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F"  # Kusama


@pytest.mark.parametrize("address", EIP_55)
def test_eip_55_vectors(address: str) -> None:
    assert evm_address(bytes.fromhex(address[2:])) == address
    assert parse_evm(address) == address


def test_one_case_alone_carries_no_checksum() -> None:
    assert parse_evm(EIP_55[2].lower()) == EIP_55[2]
    assert parse_evm("0x" + EIP_55[2][2:].upper()) == EIP_55[2]


@pytest.mark.parametrize(
    "text",
    ["", "0x", "0x12", EIP_55[2].swapcase().replace("0X", "0x"), EIP_55[2] + "0", EIP_55[2][2:]],
)
def test_what_is_no_ethereum_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_evm(text)


def test_ss58_of_alice() -> None:
    assert ss58_address(ALICE, 42) == ALICE_42
    assert ss58_address(ALICE, 2) == ALICE_2
    assert ss58_account(ALICE_42, 42) == ALICE


def test_prefixes_of_two_bytes_come_back() -> None:
    for prefix in (64, 255, 1284, 16_383):
        address = ss58_address(ALICE, prefix)
        assert ss58_account(address, prefix) == ALICE
        assert parse_ss58(address, prefix) == address


@pytest.mark.parametrize(
    "text", ["", ALICE_2, ALICE_42[:-1], ALICE_42[:-1] + "Z", "0OIl" * 12, "5" * 10_000, "1" * 48]
)
def test_what_is_no_address_of_this_prefix_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_ss58(text, 42)


def test_a_sui_address_has_all_its_digits_in_lower_case() -> None:
    assert parse_sui("0x" + "AB" * 32) == "0x" + "ab" * 32
    for text in ("0x2", "ab" * 32, "0x" + "g" * 64, "0x" + "a" * 65):
        with pytest.raises(InvalidAddress):
            parse_sui(text)


@given(st.integers(0, 3), st.binary(max_size=64))
def test_base58_is_spelled_as_the_library_spells_it(zeros: int, tail: bytes) -> None:
    data = bytes(zeros) + tail
    assert spell_base58(data) == base58.b58encode(data).decode()
