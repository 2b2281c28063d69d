"""kind = "sui" in the networks file: what it gives, and what it says when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from flamewire_ledger.chains.networks import NetworksFileError, parse_networks
from flamewire_ledger.chains.networks.sui import SuiSettings

ADDRESS = "0x" + "a" * 64
KIT = "0x" + "17" * 32
USDC = f"0x{'db' * 32}::usdc::USDC"
WHOLE = f"""
[[network]]
name = "sui"
kind = "sui"
chain_id = "sui:35834a8a"
grpc_urls = ["https://node.example/secret-key", "http://127.0.0.1:9000"]
graphql_url = "https://graphql.example/secret-key"
address = "{ADDRESS}"
payment_kit = "{KIT}"
livemode = true
timeout_seconds = 5
requests_per_second = 20
quorum = 2
quorum_above = {{ USDC = "1000.00" }}
tokens = [{{ symbol = "USDC", coin_type = "{USDC}", decimals = 6 }}]
"""


def test_a_network_with_all_that_belongs_to_it() -> None:
    (found,) = parse_networks(WHOLE)
    network, settings = found.network, found.settings
    assert isinstance(settings, SuiSettings)
    assert (network.chain_id, settings.genesis) == ("sui:35834a8a", "35834a8a")
    assert network.identifies_by == "mark"
    assert [(t.asset.code, t.asset.decimals, t.asset_id, t.contract) for t in network.tokens] == [
        ("sui:SUI", 9, "sui:35834a8a/slip44:784", None),
        ("sui:USDC", 6, f"sui:35834a8a/coin:0x{'db' * 32}%3A%3Ausdc%3A%3AUSDC", USDC),
    ]
    assert settings.payment_kit == KIT
    assert settings.endpoint_rules.requests_per_second == 20
    assert settings.endpoint_rules.above_units == {"sui:SUI": 0, "sui:USDC": 1_000_000_000}
    assert "secret-key" not in repr(found)


@pytest.mark.parametrize(
    ("chain_id", "canonical"),
    [("sui:mainnet", "sui:35834a8a"), ("sui:testnet", "sui:4c78adac"), ("sui:00112233",) * 2],
)
def test_well_known_chains_have_names(chain_id: str, canonical: str) -> None:
    (found,) = parse_networks(WHOLE.replace("sui:35834a8a", chain_id))
    assert found.network.chain_id == canonical


def test_how_payments_are_told_apart_follows_from_what_is_named(tmp_path: Path) -> None:
    (found,) = parse_networks(WHOLE.replace(f'payment_kit = "{KIT}"', ""))
    assert found.network.identifies_by == "amount"
    path = tmp_path / "addresses.txt"
    path.write_text(ADDRESS)
    pool = WHOLE.replace(f'address = "{ADDRESS}"', f'addresses_file = "{path}"')
    (found,) = parse_networks(pool)
    assert found.network.identifies_by == "address"
    assert isinstance(found.settings, SuiSettings)
    assert found.settings.addresses_file == path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('sui:35834a8a', 'sui:35834A8A'), "chain_id is sui: and eight hexadecimal digits"),
        (('sui:35834a8a', 'eip155:1'), "chain_id is sui: and"),
        (('https://node', 'ftp://node'), "grpc_urls are URLs that start with https://"),
        (('https://node', 'http://node'), "grpc_urls is https:// for other machines"),
        (('https://graphql', 'http://graphql'), "graphql_url is https:// for other machines"),
        (('https://graphql', 'ws://graphql'), "graphql_url starts with https://"),
        ((f'address = "{ADDRESS}"', ''), "addresses_file or address is needed"),
        ((f'address = "{ADDRESS}"', f'address = "{ADDRESS}"\naddresses_file = "/x"'), "one of the two"),
        ((f'address = "{ADDRESS}"', 'addresses_file = "x"'), "is a path from the root"),
        ((f'address = "{ADDRESS}"', 'addresses_file = "/no/such"'), "such cannot be read: No such file"),
        ((f'address = "{ADDRESS}"', 'address = "0xabc"'), "address is none: a Sui address"),
        ((KIT, '@pay/kit'), "payment_kit is the id of a package"),
        ((f'{USDC}"', f'{USDC}<u8>"'), "coin_type is written 0x"),
        (('symbol = "USDC"', 'symbol = "SUI"'), "symbol and coin_type are each there once"),
        ((USDC, '0x2::sui::SUI'), "symbol and coin_type are each there once"),
        (('quorum = 2', 'quorum = 3'), "there are 2 endpoints to ask"),
        (('livemode', 'livmode'), "livemode is missing"),
        (('timeout_seconds', 'timeout'), "timeout is not known"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_no_secret_with_it(
    change: tuple[str, str], sentence: str
) -> None:
    assert change[0] in WHOLE
    with pytest.raises(NetworksFileError) as caught:
        parse_networks(WHOLE.replace(*change))
    assert sentence in str(caught.value)
    assert "secret-key" not in str(caught.value)


def test_plaintext_to_other_machines_has_to_be_asked_for() -> None:
    text = WHOLE.replace("https://node", "http://node")
    (found,) = parse_networks(text.replace("livemode", "plaintext = true\nlivemode"))
    assert isinstance(found.settings, SuiSettings)
    assert found.settings.grpc_urls[0].startswith("http://node")


def test_coin_types_of_any_spelling_are_one() -> None:
    short = WHOLE.replace(USDC, "0x5::usdc::USDC")
    (found,) = parse_networks(short)
    assert found.network.tokens[1].contract == f"0x{5:064x}::usdc::USDC"
