"""The networks file: what it gives, and what it says when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from flamewire_ledger.chains.networks import NetworksFileError, parse_networks, read_networks
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.money import Amount, Asset

XPUB = "xpub6CUGRUonZSQ4TWtTMmzXdrXDtypWKiKrhko4egpiMZbpiaQL2jkwSB1icqYh2cfDfVxdx4df189oLKnC5fSwqPfgyP3hooxujYzAu3fDVmz"
XPRV = XPUB.replace("xpub", "xprv")
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WHOLE = f"""
[[network]]
name = "ethereum"
kind = "ethereum"
chain_id = 1
rpc_urls = ["https://node.example/secret-key", "http://127.0.0.1:8545"]
xpub = "{XPUB}"
livemode = true
confirmations = 64
timeout_seconds = 5
mempool = false
tokens = [{{ symbol = "USDC", contract = "{USDC.lower()}", decimals = 6 }}]
"""


def test_a_network_with_all_that_belongs_to_it() -> None:
    (found,) = parse_networks(WHOLE)
    network, settings = found.network, found.settings
    assert (network.name, network.chain_id, network.livemode) == ("ethereum", "eip155:1", True)
    assert network.confirmations_min == 64
    assert [(t.asset.code, t.asset.decimals, t.asset_id, t.contract) for t in network.tokens] == [
        ("ethereum:ETH", 18, "eip155:1/slip44:60", None),
        ("ethereum:USDC", 6, f"eip155:1/erc20:{USDC}", USDC),
    ]
    assert settings.rpc_urls[1] == "http://127.0.0.1:8545"
    assert settings.finality == "finalized"
    assert settings.timeout_seconds == 5
    assert not settings.uses_mempool


def test_another_coin_than_eth() -> None:
    text = WHOLE.replace('"ethereum"\nkind', '"polygon"\nkind').replace(
        "chain_id = 1", "chain_id = 137"
    )
    (found,) = parse_networks(text + 'coin = { symbol = "POL", slip44 = 966 }\n')
    assert found.network.tokens[0].asset.code == "polygon:POL"
    assert found.network.tokens[0].asset_id == "eip155:137/slip44:966"


def test_no_networks_are_none() -> None:
    assert parse_networks("") == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('chain_id = 1', ''), "network ethereum in the networks file: chain_id is missing"),
        (('chain_id = 1', 'chain_id = "1"'), "chain_id is a whole number"),
        (('chain_id = 1', 'chain_id = 0'), "chain_id is a whole number from 1"),
        (('livemode = true', 'livemode = 1'), "livemode is true or false"),
        (('name = "ethereum"', 'name = "Main Net"'), "network 1 in the networks file: name is lower case"),
        (('kind = "ethereum"', 'kind = "bitcoin"'), 'kind is "ethereum"'),
        (('https://node', 'ftp://node'), "rpc_urls are URLs that start with https://"),
        (('mempool = false', 'mempol = false'), "mempol is not known"),
        (('decimals = 6', 'decimals = 60'), "decimals is a whole number from 0 to 36"),
        (('decimals = 6', 'decimals = 6, x = 1'), "token 1 in the networks file: x is not known"),
        ((USDC.lower(), USDC.lower()[:-1]), "contract is no address"),
        (('symbol = "USDC"', 'symbol = "ETH"'), "symbol and contract are each there once"),
        (('mempool', 'finality = "sometimes"\nmempool'), 'finality is "finalized" or'),
        (('[[network]]', '[network]'), "write each network as a table of its own"),
        (('[[network]]', 'x = 1\n[[network]]'), "has [[network]] tables only, not x"),
        (('= 5', '= = 5'), "is no TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change: tuple[str, str], sentence: str) -> None:
    with pytest.raises(NetworksFileError) as caught:
        parse_networks(WHOLE.replace(*change))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("xpub", [XPUB[:-1], XPUB[:-1] + "n", "xpub", "xpub" * 500, XPUB + "0"])
def test_a_mistyped_key_is_found_when_the_file_is_read(xpub: str) -> None:
    with pytest.raises(NetworksFileError, match="or it is mistyped"):
        parse_networks(WHOLE.replace(XPUB, xpub))


def test_a_key_of_another_depth_is_found_when_the_file_is_read() -> None:
    master = (
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265"
        "TMg7usUDFdp6W1EGMcet8"
    )
    with pytest.raises(NetworksFileError, match="xpub is that of an account"):
        parse_networks(WHOLE.replace(XPUB, master))


@pytest.mark.parametrize("change", [(XPUB, XPRV), ("https://node", "ftp://node")])
def test_no_secret_is_in_the_sentence(change: tuple[str, str]) -> None:
    with pytest.raises(NetworksFileError) as caught:
        parse_networks(WHOLE.replace(*change))
    assert XPRV not in str(caught.value)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_settings_that_are_printed_show_neither_urls_nor_keys() -> None:
    (found,) = parse_networks(WHOLE)
    assert "secret-key" not in repr(found)
    assert XPUB not in repr(found)


def test_a_name_and_a_chain_are_each_there_once() -> None:
    with pytest.raises(NetworksFileError, match="two networks are called ethereum"):
        parse_networks(WHOLE * 2)
    with pytest.raises(NetworksFileError, match="eip155:1 is in the networks file twice"):
        parse_networks(WHOLE + WHOLE.replace('"ethereum"\nkind', '"other"\nkind'))


def test_other_addresses_of_ours_are_read_and_a_mistyped_one_is_found() -> None:
    address = "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199"
    (found,) = parse_networks(WHOLE + f'holdings = ["{address.lower()}"]\n')
    assert isinstance(found.settings, EthereumSettings)
    assert found.settings.holdings == (address,)
    with pytest.raises(NetworksFileError, match="holdings are addresses"):
        parse_networks(WHOLE + f'holdings = ["{address[:-1]}"]\n')


RULES = """
requests_per_second = 25
quorum = 2
quorum_above = { USDC = "1000.00" }
"""


def test_how_the_endpoints_of_a_network_are_used() -> None:
    (found,) = parse_networks(WHOLE + RULES)
    rules = found.settings.endpoint_rules
    assert (rules.requests_per_second, rules.quorum) == (25, 2)
    coin, usdc = (token.asset for token in found.network.tokens)
    assert rules.needs_quorum(Amount(coin, 1)), "of what has no limit any amount needs the quorum"
    assert not rules.needs_quorum(Amount(usdc, 1_000_000_000))
    assert rules.needs_quorum(Amount(usdc, 1_000_000_001))
    assert not rules.needs_quorum(Amount(Asset("ethereum:0xdead", 0), 10**30))


def test_without_a_word_one_endpoint_is_enough() -> None:
    (found,) = parse_networks(WHOLE)
    rules = found.settings.endpoint_rules
    assert (rules.requests_per_second, rules.quorum) == (None, 1)
    assert not rules.needs_quorum(Amount(found.network.tokens[0].asset, 10**30))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("= 25", "= 0"), "requests_per_second is a whole number from 1"),
        (("quorum = 2", "quorum = 0"), "quorum is a whole number from 1"),
        (("quorum = 2", "quorum = 3"), "quorum is 3, and there are 2 endpoints to ask"),
        (("quorum = 2", "quorum = 1"), "quorum_above means nothing without a quorum of 2"),
        (("USDC", "USDT"), "quorum_above names USDT, which is no asset of this network"),
        (('"1000.00"', "1000"), "quorum_above of USDC: an amount is a plain decimal in a string"),
        (("1000.00", "0.0000001"), "quorum_above of USDC: "),
        (('{ USDC = "1000.00" }', '"1000"'), "quorum_above is a table such as"),
    ],
)
def test_rules_for_endpoints_that_cannot_be_kept_are_named(
    change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(NetworksFileError) as caught:
        parse_networks(WHOLE + RULES.replace(*change))
    assert sentence in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NetworksFileError, match="cannot be read"):
        read_networks(tmp_path / "networks.toml")
