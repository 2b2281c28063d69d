"""The three sandbox networks: what they are called, what lives on them, how they spell things.

Their addresses look like the real ones and their CAIP-2 ids do not, so that nothing from a
sandbox can pass for money.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import base58

from flamewire_ledger.chains import addresses
from flamewire_ledger.chains.accounts import caip_19
from flamewire_ledger.chains.chain import IdentifiesBy, Network, Token
from flamewire_ledger.domain.money import Asset

Kind: TypeAlias = Literal["bittensor", "ethereum", "sui"]
KINDS: Final[tuple[Kind, ...]] = ("bittensor", "ethereum", "sui")
FINALITY_BLOCKS: Final = 3
_SS58_PREFIX: Final = 42
_EVM_USDC: Final = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
_SUI_USDC: Final = "0xdba34672e30cb065b1f93e3ab55318768fd6fef66c15942c9f7cb846e2f900e7::usdc::USDC"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a kind of chain writes addresses and hashes."""

    address: Callable[[bytes], str]  # of 32 bytes
    parse: Callable[[str], str]
    digest: Callable[[bytes], str]  # of 32 bytes


def _hex(digest: bytes) -> str:
    return "0x" + digest.hex()


def _base58(digest: bytes) -> str:
    return base58.b58encode(digest).decode()


SPELLINGS: Final[dict[Kind, Spelling]] = {
    "bittensor": Spelling(
        lambda account: addresses.ss58_address(account, _SS58_PREFIX),
        lambda text: addresses.parse_ss58(text, _SS58_PREFIX),
        _hex,
    ),
    "ethereum": Spelling(
        lambda account: addresses.evm_address(account[-20:]), addresses.parse_evm, _hex
    ),
    "sui": Spelling(addresses.sui_address, addresses.parse_sui, _base58),
}

# symbol, decimals, namespace and reference of CAIP-19, contract
_TOKENS: Final[dict[Kind, tuple[tuple[str, int, str, str, str | None], ...]]] = {
    "bittensor": (("TAO", 9, "slip44", "1005", None),),
    "ethereum": (
        ("ETH", 18, "slip44", "60", None),
        ("USDC", 6, "erc20", _EVM_USDC, _EVM_USDC),
    ),
    "sui": (
        ("SUI", 9, "slip44", "784", None),
        ("USDC", 6, "coin", _SUI_USDC, _SUI_USDC),
    ),
}
_BLOCK_SECONDS: Final[dict[Kind, int]] = {"bittensor": 12, "ethereum": 12, "sui": 1}


def sandbox_network(kind: Kind, identifies_by: IdentifiesBy = "address") -> Network:
    """The sandbox chain that stands in for a real one, whose `block_seconds` it names."""
    chain_id = f"sandbox:{kind}"
    tokens = tuple(
        Token(Asset(f"{kind}:{symbol}", decimals), caip_19(chain_id, space, name), contract)
        for symbol, decimals, space, name, contract in _TOKENS[kind]
    )
    return Network(
        kind, chain_id, False, tokens, _BLOCK_SECONDS[kind], FINALITY_BLOCKS, identifies_by
    )


def unlisted_token(network: Network) -> Token:
    """Something else that lives there, and that nobody asked for."""
    asset = Asset(f"{network.name}:UNLISTED", 9)
    return Token(asset, f"{network.chain_id}/unlisted:1", "unlisted")


def mark_of(memo: str) -> str:
    """What a sandbox chain shows of a memo: its hash, as Substrate does of a remark."""
    return _hex(hashlib.blake2b(memo.encode(), digest_size=32).digest())


def deposit_account(seed: str, chain_id: str, index: int) -> bytes:
    """The 32 bytes behind a deposit address. Nobody has a key for them."""
    return hashlib.blake2b(f"{seed}/{chain_id}/{index}".encode(), digest_size=32).digest()
