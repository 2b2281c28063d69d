"""The networks file: which real networks payments are taken on, and through which endpoints. TOML.

    [[network]]
    name = "ethereum"                    # the alias; assets on it are called ethereum:USDC
    kind = "ethereum"
    chain_id = 1
    rpc_urls = ["https://…"]             # the first is preferred, the others step in
    xpub = "xpub…"                       # of an account, or of its external chain; never an xprv
    livemode = true
    finality = "finalized"               # or "confirmations", for chains without that block tag
    confirmations = 12                   # used with finality = "confirmations"
    tokens = [{ symbol = "USDC", contract = "0xA0b8…", decimals = 6 }]

Whatever is wrong is said in one sentence that names the network and the key, and never the value:
an endpoint's URL may be a secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import base58

from flamewire_ledger.chains.addresses import parse_evm
from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.domain.money import DECIMALS_MAX, Asset
from flamewire_ledger.domain.rejection import InvalidAddress

NETWORKS_MAX: Final = 64
_XPUB_BYTES: Final = 78  # BIP-32: version, depth, parent, child number, chain code, key
_XPUB_DEPTHS: Final = (3, 4)
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_SYMBOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,15}\Z")
Finality: TypeAlias = Literal["finalized", "confirmations"]
T = TypeVar("T")


class NetworksFileError(Exception):
    """The networks file cannot be used; the message says what to correct."""


@dataclass(frozen=True, slots=True)
class EthereumSettings:
    """What an Ethereum adapter needs beside its network. URLs often hold a key: they are not shown."""

    evm_chain_id: int
    rpc_urls: tuple[str, ...] = field(repr=False)
    xpub: str = field(repr=False)  # not secret, but it links all of a merchant's addresses
    finality: Finality = "finalized"
    timeout_seconds: float = 10.0
    uses_mempool: bool = True


@dataclass(frozen=True, slots=True)
class ConfiguredNetwork:
    """One network of the file. Its settings say which adapter it is for."""

    network: Network
    settings: EthereumSettings


def read_networks(path: Path) -> tuple[ConfiguredNetwork, ...]:
    """The networks of a file. Raises NetworksFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NetworksFileError(f"{path} cannot be read: {reason}") from None
    return parse_networks(text)


def parse_networks(text: str) -> tuple[ConfiguredNetwork, ...]:
    """The networks of a TOML text. Raises NetworksFileError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NetworksFileError(f"the networks file is no TOML: {error}") from None
    unknown = sorted(document.keys() - {"network"})
    if unknown:
        raise NetworksFileError(f"the networks file has [[network]] tables only, not {unknown[0]}")
    tables = document.get("network", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise NetworksFileError("write each network as a table of its own: [[network]]")
    if len(tables) > NETWORKS_MAX:
        raise NetworksFileError(f"the networks file has {NETWORKS_MAX} networks at most")
    found = tuple(_network(number, table) for number, table in enumerate(tables, start=1))
    _refuse_twins(found)
    return found


def _refuse_twins(networks: tuple[ConfiguredNetwork, ...]) -> None:
    """A name stands for one network in each mode, and a chain is followed once."""
    names: set[tuple[str, bool]] = set()
    chains: set[str] = set()
    for each in networks:
        name = (each.network.name, each.network.livemode)
        if name in names:
            raise NetworksFileError(f"two networks are called {name[0]}: give one another name")
        if each.network.chain_id in chains:
            raise NetworksFileError(f"{each.network.chain_id} is in the networks file twice")
        names.add(name)
        chains.add(each.network.chain_id)


def _network(number: int, table: Mapping[str, Any]) -> ConfiguredNetwork:
    given = _Table(f"network {number}", table)
    name = given.text("name")
    if not _NAME.match(name):
        raise given.wrong("name", "is lower case letters, digits and dashes, 32 at most")
    given = _Table(f"network {name}", table)
    kind = given.text("kind")
    if kind != "ethereum":
        raise given.wrong("kind", 'is "ethereum"')
    configured = _ethereum(name, given)
    given.refuse_others()
    return configured


def _ethereum(name: str, given: _Table) -> ConfiguredNetwork:
    evm_chain_id = given.number("chain_id", least=1)
    chain_id = f"eip155:{evm_chain_id}"
    finality = given.text("finality", "finalized")
    if finality not in ("finalized", "confirmations"):
        raise given.wrong("finality", 'is "finalized" or "confirmations"')
    if finality == "confirmations" and "confirmations" not in given.table:
        raise given.wrong("confirmations", 'is needed with finality = "confirmations"')
    network = Network(
        name=name,
        chain_id=chain_id,
        livemode=given.flag("livemode"),
        tokens=(_coin(name, chain_id, given), *_tokens(name, chain_id, given)),
        block_seconds=given.number("block_seconds", 12, least=1),
        confirmations_min=given.number("confirmations", 12, least=1),
    )
    settings = EthereumSettings(
        evm_chain_id=evm_chain_id,
        rpc_urls=_urls(given),
        xpub=_xpub(given),
        finality=cast("Finality", finality),
        timeout_seconds=given.number("timeout_seconds", 10, least=1),
        uses_mempool=given.flag("mempool", True),
    )
    return ConfiguredNetwork(network, settings)


def _coin(name: str, chain_id: str, given: _Table) -> Token:
    """The chain's own coin; ETH unless the file says otherwise."""
    coin = _Table(f"{given.what}, coin", given.typed("coin", dict, "a table", {}))
    symbol = _symbol(coin, "ETH")
    decimals = coin.number("decimals", 18, least=0, most=DECIMALS_MAX)
    slip44 = coin.number("slip44", 60, least=0)
    coin.refuse_others()
    return Token(Asset(f"{name}:{symbol}", decimals), f"{chain_id}/slip44:{slip44}")


def _tokens(name: str, chain_id: str, given: _Table) -> list[Token]:
    tokens: list[Token] = []
    for number, table in enumerate(given.typed("tokens", list, "an array of tables", []), start=1):
        if not isinstance(table, dict):
            raise given.wrong("tokens", "is an array of tables")
        one = _Table(f"{given.what}, token {number}", table)
        symbol = _symbol(one)
        try:
            contract = parse_evm(one.text("contract"))
        except InvalidAddress as error:
            raise one.wrong("contract", f"is no address: {error.detail}") from None
        decimals = one.number("decimals", least=0, most=DECIMALS_MAX)
        one.refuse_others()
        token = Token(Asset(f"{name}:{symbol}", decimals), f"{chain_id}/erc20:{contract}", contract)
        if any(
            token.asset.code == other.asset.code or contract == other.contract for other in tokens
        ):
            raise one.wrong("symbol", "and contract are each there once")
        tokens.append(token)
    return tokens


def _symbol(given: _Table, default: str | None = None) -> str:
    symbol = given.text("symbol", default)
    if not _SYMBOL.match(symbol):
        raise given.wrong("symbol", "is up to 16 letters and digits, such as USDC")
    return symbol


def _urls(given: _Table) -> tuple[str, ...]:
    urls = given.typed("rpc_urls", list, "an array of URLs")
    if not urls or not all(isinstance(url, str) for url in urls):
        raise given.wrong("rpc_urls", "is an array of URLs, one at least")
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise given.wrong("rpc_urls", "are URLs that start with https:// or http://")
    return tuple(urls)


def _xpub(given: _Table) -> str:
    xpub = given.text("xpub")
    if xpub[1:4] == "prv":
        raise given.wrong(
            "xpub", "is a private key: take it out of this file, put the public one in"
        )
    try:
        raw = base58.b58decode_check(xpub)
    except ValueError:
        raw = b""
    if xpub[1:4] != "pub" or len(raw) != _XPUB_BYTES:
        raise given.wrong("xpub", "is no extended public key (xpub…), or it is mistyped")
    if raw[4] not in _XPUB_DEPTHS:
        raise given.wrong("xpub", "is that of an account (m/44'/60'/0') or of its external chain")
    return xpub


@dataclass(slots=True)
class _Table:
    """A TOML table that is read key by key; `what` names it in errors."""

    what: str
    table: Mapping[str, Any]
    read: set[str] = field(default_factory=lambda: {"name", "kind"})

    def wrong(self, key: str, why: str) -> NetworksFileError:
        return NetworksFileError(f"{self.what} in the networks file: {key} {why}")

    def typed(self, key: str, kind: type[T], called: str, default: T | None = None) -> T:
        self.read.add(key)
        if key not in self.table:
            if default is None:
                raise self.wrong(key, "is missing")
            return default
        value = self.table[key]
        if type(value) is not kind:
            raise self.wrong(key, f"is {called}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.typed(key, str, "a text in quotes", default)
        if not value:
            raise self.wrong(key, "is empty")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        return self.typed(key, bool, "true or false", default)

    def number(self, key: str, default: int | None = None, *, least: int, most: int = 2**53) -> int:
        value = self.typed(key, int, "a whole number", default)
        if not least <= value <= most:
            raise self.wrong(key, f"is a whole number from {least} to {most}")
        return value

    def refuse_others(self) -> None:
        """A key that nobody reads is most often a slip of the pen."""
        unknown = sorted(self.table.keys() - self.read)
        if unknown:
            raise self.wrong(unknown[0], "is not known")
