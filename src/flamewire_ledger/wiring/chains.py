"""From the networks file to chains: which adapter follows which network.

Importing the adapters imports no chain's library yet; the first question to a chain does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.networks import ConfiguredNetwork, read_networks
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.networks.sui import SuiSettings
from flamewire_ledger.chains.substrate.chain import SubstrateChain
from flamewire_ledger.chains.sui.chain import SuiChain
from flamewire_ledger.settings import Settings


def real_chains(
    settings: Settings, now_of: Callable[[bool], Callable[[], datetime]]
) -> tuple[Chain, ...]:
    """The networks of the networks file. `now_of` gives the clock of live or of test merchants."""
    if settings.networks_file is None:
        return ()
    return tuple(
        _chain(each, now_of(each.network.livemode))
        for each in read_networks(settings.networks_file)
    )


def check_networks(settings: Settings) -> None:
    """Raises NetworksFileError for all that can be known to be wrong without asking a node."""
    unasked_chains(settings)


def unasked_chains(settings: Settings) -> tuple[Chain, ...]:
    """The networks of the networks file, those for live keys first, to know their names, ids and
    addresses by: nobody may ask them for more.
    """
    chains = real_chains(settings, lambda _: _no_time)
    return tuple(sorted(chains, key=lambda chain: not chain.network.livemode))


def _no_time() -> datetime:
    raise AssertionError("a chain that is only checked asks for no time")


def _chain(configured: ConfiguredNetwork, now: Callable[[], datetime]) -> Chain:
    match configured.settings:
        case EthereumSettings() as settings:
            return EthereumChain(configured.network, settings, now)
        case SubstrateSettings() as settings:
            return SubstrateChain(configured.network, settings)
        case SuiSettings() as settings:
            return SuiChain(configured.network, settings)
        case _:
            assert_never(configured.settings)
