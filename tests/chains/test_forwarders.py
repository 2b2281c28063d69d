"""Where forwarders are: EIP-1014, and what follows from a treasury and a number."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.addresses import keccak256, parse_evm
from flamewire_ledger.chains.forwarders import (
    INDEX_MAX,
    Forwarders,
    create2_address,
    factory_of,
    salt_of,
    sweep_many,
)
from flamewire_ledger.chains.networks import NetworksFileError, parse_networks

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NOBODY = "0x" + "00" * 20

# The examples of EIP-1014: deployer, salt, code, address.
EIP_1014 = [
    (NOBODY, "00" * 32, "00", "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
    ("0xdeadbeef" + "00" * 16, "00" * 32, "00", "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3"),
    (
        "0xdeadbeef" + "00" * 16,
        "00" * 12 + "feed" + "00" * 18,
        "00",
        "0xD04116cDd17beBE565EB2422F2497E06cC1C9833",
    ),
    (NOBODY, "00" * 32, "deadbeef", "0x70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"),
    (
        "0x" + "00" * 16 + "deadbeef",
        "00" * 28 + "cafebabe",
        "deadbeef",
        "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7",
    ),
    (
        "0x" + "00" * 16 + "deadbeef",
        "00" * 28 + "cafebabe",
        "deadbeef" * 11,
        "0x1d8bfDC5D46DC4f61D6b6115972536eBE6A8854C",
    ),
    (NOBODY, "00" * 32, "", "0xE33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
]


@pytest.mark.parametrize(("deployer", "salt", "code", "address"), EIP_1014)
def test_addresses_are_those_of_eip_1014(deployer: str, salt: str, code: str, address: str) -> None:
    hashed = keccak256(bytes.fromhex(code))
    assert create2_address(deployer, bytes.fromhex(salt), hashed) == address


def test_a_number_gives_one_address_and_says_how_to_find_it_again() -> None:
    forwarders = Forwarders(factory_of(TREASURY), TREASURY)
    given = [forwarders.deposit(index) for index in (0, 1, 2**40)]
    assert len({each.address for each in given}) == 3
    assert [forwarders.index_of(each.derivation) for each in given] == [0, 1, 2**40]
    assert given[1] == forwarders.deposit(1)
    assert parse_evm(given[1].address) == given[1].address


@pytest.mark.parametrize("derivation", ["", "1234abcd/0/7", f"create2:{TREASURY}/7", "create2:"])
def test_a_derivation_of_another_kind_is_no_number(derivation: str) -> None:
    assert Forwarders(factory_of(TREASURY), TREASURY).index_of(derivation) is None


@pytest.mark.parametrize("index", [-1, INDEX_MAX + 1])
def test_numbers_have_bounds(index: int) -> None:
    with pytest.raises(ValueError, match="from 0 to"):
        salt_of(index)


def test_the_call_of_a_sweep_is_written_as_the_abi_has_it() -> None:
    """The words of `cast calldata "sweepMany(bytes32[],address[])" "[1,2]" "[0x7099…]"`."""
    said = sweep_many([salt_of(1), salt_of(2)], [TREASURY]).hex()
    selector = keccak256(b"sweepMany(bytes32[],address[])")[:4].hex()
    words = [0x40, 0xA0, 2, 1, 2, 1, int(TREASURY, 16)]
    assert said == selector + "".join(f"{each:064x}" for each in words)


# In the networks file.


def networks_file(line: str) -> str:
    return f"""
[[network]]
name = "base"
kind = "ethereum"
chain_id = 8453
rpc_urls = ["https://node.example"]
livemode = true
{line}
"""


def given(factory: str, treasury: str) -> str:
    return f'forwarders = {{ factory = "{factory}", treasury = "{treasury}" }}'


def test_a_network_may_have_forwarders_instead_of_an_xpub() -> None:
    factory = factory_of(TREASURY)
    (found,) = parse_networks(networks_file(given(factory.lower(), TREASURY.lower())))
    assert found.settings.forwarders == Forwarders(factory, TREASURY)
    assert found.settings.xpub is None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "xpub is missing; or give forwarders"),
        (given(factory_of(TREASURY), TREASURY) + '\nxpub = "xpub"', "xpub or forwarders"),
        (given(TREASURY, TREASURY), "factory is not the factory of this treasury, which is 0x"),
        (given(factory_of(TREASURY), factory_of(TREASURY)), "factory is not the factory of this"),
        (given("0x12", TREASURY), "forwarders in the networks file: factory is no address"),
        (given(factory_of(NOBODY), NOBODY), "treasury is the address that nobody has"),
        ('forwarders = { factory = "0x12" }', "treasury is missing"),
        (given(factory_of(TREASURY), TREASURY)[:-1] + ", x = 1 }", "x is not known"),
        ("forwarders = true", "forwarders is a table"),
    ],
)
def test_what_would_lose_money_is_refused_before_anything_starts(line: str, sentence: str) -> None:
    with pytest.raises(NetworksFileError) as caught:
        parse_networks(networks_file(line))
    assert sentence in str(caught.value)
