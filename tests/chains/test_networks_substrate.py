"""kind = "substrate" in the networks file: what it gives, and what it says when it is wrong."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.networks import NetworksFileError, parse_networks
from flamewire_ledger.chains.networks.substrate import SubstrateSettings

ACCOUNT = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
CHAIN_ID = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"
LEAST = f"""
[[network]]
name = "bittensor"
kind = "substrate"
chain_id = "{CHAIN_ID}"
rpc_urls = ["wss://node.example/secret-key", "ws://127.0.0.1:9944"]
account = "{ACCOUNT}"
livemode = true
"""
ASSET_HUB = (
    LEAST.replace("bittensor", "hub").replace(
        ACCOUNT, "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"
    )
    + """ss58_prefix = 0
block_seconds = 6
coin = { symbol = "DOT", decimals = 10, slip44 = 354, existential_deposit = 100000000 }
tokens = [{ symbol = "USDT", asset_id = 1984, decimals = 6, least_units = 10000 }]
"""
)


def test_what_is_left_out_is_as_on_bittensor() -> None:
    (found,) = parse_networks(LEAST)
    network, settings = found.network, found.settings
    assert isinstance(settings, SubstrateSettings)
    assert (network.chain_id, network.livemode, network.block_seconds) == (CHAIN_ID, True, 12)
    (coin,) = network.tokens
    assert (coin.asset.code, coin.asset.decimals) == ("bittensor:TAO", 9)
    assert coin.asset_id == f"{CHAIN_ID}/slip44:1005"
    assert coin.least_units == settings.existential_deposit == 500
    assert settings.account.hex().startswith("d43593c7")
    assert settings.ss58_prefix == 42
    assert network.identifies_by == "address"


def test_another_chain_is_configuration_alone() -> None:
    (found,) = parse_networks(ASSET_HUB)
    assert [
        (token.asset.code, token.asset.decimals, token.asset_id, token.contract, token.least_units)
        for token in found.network.tokens
    ] == [
        ("hub:DOT", 10, f"{CHAIN_ID}/slip44:354", None, 100_000_000),
        ("hub:USDT", 6, f"{CHAIN_ID}/assets:1984", "1984", 10_000),
    ]
    assert found.network.block_seconds == 6


@pytest.mark.parametrize("identifies_by", ["mark", "amount"])
def test_an_account_that_all_share_is_there_already(identifies_by: str) -> None:
    (found,) = parse_networks(ASSET_HUB + f'identifies_by = "{identifies_by}"\n')
    assert found.network.identifies_by == identifies_by
    assert [token.least_units for token in found.network.tokens] == [1, 1]


def test_the_rules_of_endpoints_are_read() -> None:
    (found,) = parse_networks(LEAST + 'quorum = 2\nquorum_above = { TAO = "1.5" }\n')
    assert isinstance(found.settings, SubstrateSettings)
    assert found.settings.endpoint_rules.quorum == 2
    assert found.settings.endpoint_rules.above_units == {"bittensor:TAO": 1_500_000_000}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ((CHAIN_ID, "polkadot:2f05"), "chain_id is polkadot: and the first 32"),
        ((CHAIN_ID, "eip155:1"), "chain_id is polkadot: and the first 32"),
        (("wss://node", "https://node"), "rpc_urls are URLs that start with wss:// or ws://"),
        ((ACCOUNT, ACCOUNT[:-1]), "account is no address"),
        ((ACCOUNT, "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F"), "of another network than"),
        ((ACCOUNT, "bottom drive obey lake curtain smoke basket"), "account may be a secret"),
        ((ACCOUNT, "0x" + "e5" * 32), "account may be a secret"),
        (("livemode", 'identifies_by = "name"\nlivemode'), 'identifies_by is "address", "mark" or'),
        (("livemode", "ss58_prefix = 16384\nlivemode"), "ss58_prefix is a whole number from 0"),
        (("livemode", "coin = { symbl = 1 }\nlivemode"), "symbl is not known"),
        (
            ("livemode", "tokens = [{ symbol = 'A', asset_id = 1 }]\nlivemode"),
            "decimals is missing",
        ),
        (("livemode", "finality = 'x'\nlivemode"), "finality is not known"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], sentence: str) -> None:
    assert change[0] in LEAST
    with pytest.raises(NetworksFileError, match="in the networks file") as caught:
        parse_networks(LEAST.replace(*change, 1))
    assert sentence in str(caught.value)
    assert "network bittensor" in str(caught.value)
    for secret in ("secret-key", "obey", "e5e5e5"):
        assert secret not in str(caught.value)


def test_an_asset_is_there_once() -> None:
    twice = ASSET_HUB.replace(
        "tokens = [", 'tokens = [{ symbol = "X", asset_id = 1984, decimals = 1 },'
    )
    with pytest.raises(NetworksFileError, match="are each there once"):
        parse_networks(twice)


def test_settings_that_are_printed_show_neither_urls_nor_the_account() -> None:
    (found,) = parse_networks(LEAST)
    assert "secret-key" not in repr(found)
    assert "\\xd45\\x93" not in repr(found)
