"""The networks file: which real networks payments are taken on, and through which endpoints. TOML.

    [[network]]
    name = "ethereum"                    # the alias; assets on it are called ethereum:USDC
    kind = "ethereum"                    # which adapter follows it
    livemode = true

and the keys of its kind: one file here each. Whatever is wrong is said in one sentence that names
the network and the key, and never the value: an endpoint's URL may be a secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.networks.ethereum import EthereumSettings, read_ethereum
from flamewire_ledger.chains.networks.substrate import SubstrateSettings, read_substrate
from flamewire_ledger.chains.networks.sui import SuiSettings, read_sui
from flamewire_ledger.chains.networks.table import NetworksFileError, Table

__all__ = ["ConfiguredNetwork", "NetworksFileError", "parse_networks", "read_networks"]

NETWORKS_MAX: Final = 64
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")

ChainSettings: TypeAlias = EthereumSettings | SubstrateSettings | SuiSettings
_KINDS: Final[Mapping[str, Callable[[str, Table], tuple[Network, ChainSettings]]]] = {
    "ethereum": read_ethereum,
    "substrate": read_substrate,
    "sui": read_sui,
}


@dataclass(frozen=True, slots=True)
class ConfiguredNetwork:
    """One network of the file. Its settings say which adapter it is for."""

    network: Network
    settings: ChainSettings


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
    given = Table(f"network {number}", table)
    name = given.text("name")
    if not _NAME.match(name):
        raise given.wrong("name", "is lower case letters, digits and dashes, 32 at most")
    given = Table(f"network {name}", table)
    read = _KINDS.get(given.text("kind"))
    if read is None:
        known = " or ".join(f'"{kind}"' for kind in sorted(_KINDS))
        raise given.wrong("kind", f"is {known}")
    configured = ConfiguredNetwork(*read(name, given))
    given.refuse_others()
    return configured
