"""Currencies: by which names an asset and its network are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from flamewire_ledger.api.currencies import find_chain, find_currency, find_token
from flamewire_ledger.chains.accounts import caip_19
from flamewire_ledger.chains.chain import Chain, Network, Token
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.rejection import UnknownAsset

CONTRACT = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
COIN_TYPE = "0xdba34672e30cb065b1f93e3ab55318768fd6fef66c15942c9f7cb846e2f900e7::usdc::USDC"


@dataclass
class OnlyItsNetwork:
    network: Network


def chain(name: str, chain_id: str, asset_id: str, *others: str) -> Chain:
    token = Token(Asset(f"{name}:USDC", 6), asset_id)
    more = [Token(Asset(f"{name}:{it}", 18), f"{chain_id}/erc20:0x{it}") for it in others]
    network = Network(name, chain_id, True, (token, *more), 12, 1)
    return cast("Chain", cast("Any", OnlyItsNetwork(network)))


ETHEREUM = chain("ethereum", "eip155:1", f"eip155:1/erc20:{CONTRACT}", "wstETH", "USDe", "USDE")
SUI = chain("sui", "sui:35834a8a", caip_19("sui:35834a8a", "coin", COIN_TYPE))
CHAINS = (ETHEREUM, SUI)


@pytest.mark.parametrize("contract", [CONTRACT, CONTRACT.lower()])
def test_a_contract_of_caip_19_may_be_in_small_letters(contract: str):
    name = f"eip155:1/erc20:{contract}"
    assert find_token(ETHEREUM, name, "/asset") is ETHEREUM.network.tokens[0]
    assert find_currency(CHAINS, name, "/currency").code == "ethereum:USDC"


def test_a_coin_type_of_sui_may_be_as_sui_writes_it():
    (token,) = SUI.network.tokens
    assert "::" not in token.asset_id
    for name in (token.asset_id, f"sui:35834a8a/coin:{COIN_TYPE}"):
        assert find_token(SUI, name, "/asset") is token
        assert find_currency(CHAINS, name, "/currency").code == "sui:USDC"


@pytest.mark.parametrize("name", [CONTRACT.swapcase(), COIN_TYPE.lower(), "x", ""])
def test_an_asset_that_is_mistyped_is_unknown(name: str):
    for found_in, space in ((ETHEREUM, "eip155:1/erc20"), (SUI, "sui:35834a8a/coin")):
        with pytest.raises(UnknownAsset):
            find_token(found_in, f"{space}:{name}", "/asset")
        with pytest.raises(UnknownAsset):
            find_currency(CHAINS, f"{space}:{name}", "/currency")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("wstETH", "wstETH"),
        ("WSTETH", "wstETH"),
        ("ethereum:wstETH", "wstETH"),
        ("USDe", "USDe"),  # two that differ in nothing else
        ("USDE", "USDE"),
    ],
)
def test_a_symbol_may_have_small_letters(name: str, symbol: str):
    assert find_token(ETHEREUM, name, "/asset").asset.symbol == symbol
    assert find_currency(CHAINS, name, "/currency").symbol == symbol


def test_symbols_are_read_without_regard_to_case():
    assert find_token(SUI, "usdc", "/asset").asset.code == "sui:USDC"
    assert find_currency(CHAINS, "usdc", "/currency", SUI).code == "sui:USDC"
    with pytest.raises(UnknownAsset):
        find_token(ETHEREUM, "usde", "/asset")
    for name in ("usdc", "usde"):
        with pytest.raises(UnknownAsset, match="lives on"):
            find_currency(CHAINS, name, "/currency")


def test_a_network_is_found_by_its_name_by_caip_2_and_by_suis_common_name():
    for name, wanted in (
        ("ethereum", ETHEREUM),
        ("eip155:1", ETHEREUM),
        ("sui:35834a8a", SUI),
        ("sui:mainnet", SUI),
    ):
        assert find_chain(CHAINS, name, "/network") is wanted
