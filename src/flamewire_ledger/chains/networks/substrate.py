"""kind = "substrate": the keys of Bittensor, or of another Substrate chain, in the networks file.

chain_id = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"  # CAIP-2: 32 digits of the genesis hash
rpc_urls = ["wss://…"]               # the first is preferred, the others step in
account = "5F…"                      # payments go to its children, or to itself; never a secret
identifies_by = "address"            # or "mark" (a remark beside the transfer), or "amount"
ss58_prefix = 42
coin = { symbol = "TAO", decimals = 9, slip44 = 1005, existential_deposit = 500 }
tokens = [{ symbol = "USDT", asset_id = 1984, decimals = 6, least_units = 10000 }]

and those of endpoint_rules.py. What is left out is as on Bittensor. The chain is asked whether all of
it is so before it is believed in anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, cast

from flamewire_ledger.chains.addresses import ss58_account
from flamewire_ledger.chains.chain import IdentifiesBy, Network, Token
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules, read_endpoint_rules
from flamewire_ledger.chains.networks.table import Table
from flamewire_ledger.domain.money import DECIMALS_MAX, Asset
from flamewire_ledger.domain.rejection import InvalidAddress

_CHAIN_ID: Final = re.compile(r"polkadot:[0-9a-f]{32}\Z")
_SS58_PREFIX_MAX: Final = 16_383
_UNITS_MAX: Final = 2**63 - 1  # TOML's whole numbers end there
_ASSET_ID_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SubstrateSettings:
    """What a Substrate adapter needs beside its network. URLs often hold a key: they are not shown."""

    rpc_urls: tuple[str, ...] = field(repr=False)
    account: bytes = field(repr=False)  # a public key: no secret, but it links all addresses
    ss58_prefix: int = 42
    existential_deposit: int = 500  # in the coin's base units
    timeout_seconds: float = 10.0
    endpoint_rules: EndpointRules = EndpointRules()


def read_substrate(name: str, given: Table) -> tuple[Network, SubstrateSettings]:
    """Raises NetworksFileError."""
    chain_id = given.text("chain_id")
    if not _CHAIN_ID.match(chain_id):
        raise given.wrong(
            "chain_id", "is polkadot: and the first 32 hexadecimal digits of the genesis hash"
        )
    identifies_by = _identifies_by(given)
    prefix = given.number("ss58_prefix", 42, least=0, most=_SS58_PREFIX_MAX)
    coin, existential_deposit = _coin(name, chain_id, given, identifies_by)
    network = Network(
        name=name,
        chain_id=chain_id,
        livemode=given.flag("livemode"),
        tokens=(coin, *_tokens(name, chain_id, given, identifies_by, coin)),
        block_seconds=given.number("block_seconds", 12, least=1),
        confirmations_min=1,  # a Substrate chain says itself what is final
        identifies_by=identifies_by,
    )
    rpc_urls = given.urls("rpc_urls", "wss", "ws")
    settings = SubstrateSettings(
        rpc_urls=rpc_urls,
        account=_account(given, prefix),
        ss58_prefix=prefix,
        existential_deposit=existential_deposit,
        timeout_seconds=given.number("timeout_seconds", 10, least=1),
        endpoint_rules=read_endpoint_rules(given, network.tokens, len(rpc_urls)),
    )
    return network, settings


def _identifies_by(given: Table) -> IdentifiesBy:
    found = given.text("identifies_by", "address")
    if found not in ("address", "mark", "amount"):
        raise given.wrong("identifies_by", 'is "address", "mark" or "amount"')
    return cast("IdentifiesBy", found)


def _account(given: Table, prefix: int) -> bytes:
    text = given.text("account")
    if " " in text.strip() or text.startswith("0x"):
        raise given.wrong(
            "account",
            "may be a secret: take it out of this file, and put the account's SS58 address in",
        )
    try:
        return ss58_account(text, prefix)
    except InvalidAddress as error:
        raise given.wrong("account", f"is no address: {error.detail}") from None


def _coin(name: str, chain_id: str, given: Table, identifies_by: IdentifiesBy) -> tuple[Token, int]:
    """The chain's own coin, and its existential deposit; Bittensor's unless the file says otherwise."""
    coin = Table(f"{given.what}, coin", given.typed("coin", dict, "a table", {}))
    asset = Asset(
        f"{name}:{coin.symbol('TAO')}", coin.number("decimals", 9, least=0, most=DECIMALS_MAX)
    )
    slip44 = coin.number("slip44", 1005, least=0)
    existential_deposit = coin.number("existential_deposit", 500, least=0, most=_UNITS_MAX)
    coin.refuse_others()
    least = _least_units(identifies_by, existential_deposit)
    return Token(asset, f"{chain_id}/slip44:{slip44}", least_units=least), existential_deposit


def _tokens(
    name: str, chain_id: str, given: Table, identifies_by: IdentifiesBy, coin: Token
) -> list[Token]:
    tokens: list[Token] = []
    for number, table in enumerate(given.typed("tokens", list, "an array of tables", []), start=1):
        if not isinstance(table, dict):
            raise given.wrong("tokens", "is an array of tables")
        one = Table(f"{given.what}, token {number}", table)
        symbol = one.symbol()
        asset_id = str(one.number("asset_id", least=0, most=_ASSET_ID_MAX))
        decimals = one.number("decimals", least=0, most=DECIMALS_MAX)
        least = _least_units(identifies_by, one.number("least_units", 1, least=1, most=_UNITS_MAX))
        one.refuse_others()
        asset = Asset(f"{name}:{symbol}", decimals)
        if any(
            asset.code == other.asset.code or asset_id == other.contract
            for other in (coin, *tokens)
        ):
            raise one.wrong("symbol", "and asset_id are each there once")
        tokens.append(Token(asset, f"{chain_id}/assets:{asset_id}", asset_id, least_units=least))
    return tokens


def _least_units(identifies_by: IdentifiesBy, units: int) -> int:
    """An account has to begin with so much; the one that all payments share is there already."""
    return max(1, units) if identifies_by == "address" else 1
