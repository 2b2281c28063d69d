"""Whether a node is of the chain that is configured, before anything else it says is believed.

The genesis block, how addresses are written, the coin's name and decimals, how little of it an
account may hold, the assets' decimals: what a node says of itself is compared with the networks
file. So another Substrate chain is a matter of configuration, and a slip of the pen costs no money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flamewire_ledger.chains.chain import Network, Token, WrongChain, WrongToken
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.substrate.node import Node
from flamewire_ledger.chains.substrate.runtime import NOW, Runtime

# Where an asset's name and decimals are: twox128 of "Assets" and of "Metadata"; its number follows.
ASSET_METADATA: Final = "0x682a59d51ab9e48a8c8cc418ff9708d2b5f3822e35ca2f31ce3526eab1363fd2"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node of the right chain says of itself."""

    chain_id: str  # CAIP-2
    ss58_prefix: int
    coin: Token
    existential_deposit: int
    tokens: tuple[Token, ...]  # of the pallet Assets

    @classmethod
    def of(cls, network: Network, settings: SubstrateSettings) -> Expected:
        return cls(
            chain_id=network.chain_id,
            ss58_prefix=settings.ss58_prefix,
            coin=next(token for token in network.tokens if token.contract is None),
            existential_deposit=settings.existential_deposit,
            tokens=tuple(token for token in network.tokens if token.contract is not None),
        )


def check(node: Node, number: int, expected: Expected) -> None:
    """Raises WrongChain, in a sentence that says what to correct, and ChainUnavailable.

    `number` is that of the endpoint in the networks file.
    """
    genesis, head, properties = node.ask(
        ("chain_getBlockHash", [0]), ("chain_getBlockHash", []), ("system_properties", [])
    )
    chain_id = f"polkadot:{str(genesis).removeprefix('0x')[:32]}"
    if chain_id != expected.chain_id:
        raise _wrong(number, f"of {chain_id}, not {expected.chain_id}", "rpc_urls or chain_id")
    (version,) = node.spec_versions([head])
    runtime = node.runtime(version, head)
    told = properties if isinstance(properties, dict) else {}
    _check_prefix(number, told, runtime, expected)
    _check_coin(number, told, runtime, expected)
    for token in expected.tokens:
        _check_token(node, number, head, runtime, token)
    node.keeps_all_states = _keeps_all_states(node)


def _check_prefix(
    number: int, told: Mapping[str, Any], runtime: Runtime, expected: Expected
) -> None:
    """Chains were seen whose properties and runtime differ: one of the two is enough."""
    said = (
        told.get("ss58Format"),
        told.get("SS58Prefix"),
        runtime.constant("System", "SS58Prefix"),
    )
    prefixes = {prefix for prefix in said if isinstance(prefix, int)}
    if prefixes and expected.ss58_prefix not in prefixes:
        named = " or ".join(str(prefix) for prefix in sorted(prefixes))
        raise _wrong(
            number,
            f"of a chain whose addresses have the prefix {named}, not {expected.ss58_prefix}",
            "ss58_prefix and account",
        )


def _check_coin(number: int, told: Mapping[str, Any], runtime: Runtime, expected: Expected) -> None:
    coin = expected.coin.asset
    said = (_all(told.get("tokenSymbol")), _all(told.get("tokenDecimals")))
    coins = list(zip(*said, strict=False))
    if coins and (coin.symbol, coin.decimals) not in coins:
        named = " or ".join(f"{symbol} with {decimals} decimals" for symbol, decimals in coins)
        raise _wrong(
            number,
            f"of a chain whose coin is {named}, not {coin.symbol} with {coin.decimals}",
            "coin",
        )
    least = runtime.constant("Balances", "ExistentialDeposit")
    if least is not None and least > expected.existential_deposit:
        raise _wrong(
            number,
            f"of a chain where an account begins with {least} units, "
            f"not {expected.existential_deposit}",
            "existential_deposit of the coin",
        )


def _check_token(node: Node, number: int, head: str, runtime: Runtime, token: Token) -> None:
    """An asset's metadata end with its decimals and with whether it is frozen, a byte each."""
    asset_id = int(token.contract or 0)
    found = None
    key = runtime.asset_key(asset_id)
    if key is not None:
        (found,) = node.ask(("state_getStorage", [ASSET_METADATA + key, head]))
    symbol = token.asset.symbol
    if not isinstance(found, str):
        raise WrongToken(
            f"endpoint {number} is of a chain that says nothing of asset {asset_id}: correct the "
            f"asset_id of token {symbol} in the networks file"
        )
    decimals = int(found[-4:-2], 16)
    if decimals != token.asset.decimals:
        raise WrongToken(
            f"endpoint {number} is of a chain whose asset {asset_id} has {decimals} decimals, not "
            f"{token.asset.decimals}: correct the decimals or the asset_id of token {symbol} in the "
            "networks file"
        )


def _keeps_all_states(node: Node) -> bool:
    """Whether it is an archive node. Another refuses the state of the first block, which is old."""
    from flamewire_ledger.chains.substrate.line import NodeRefused

    (first,) = node.ask(("chain_getBlockHash", [1]))
    if first is None:
        return True  # there is none yet
    try:
        node.ask(("state_getStorage", [NOW, first]))
    except NodeRefused:
        return False
    return True


def _wrong(number: int, said: str, keys: str) -> WrongChain:
    return WrongChain(f"endpoint {number} is {said}: correct {keys} in the networks file")


def _all(value: Any) -> list[Any]:
    """Chains with several coins have lists of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
