"""The schemes of signatures, put together; nothing of a chain's library is imported before the first
signature of that kind of chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from flamewire_ledger.chains.accounts import well_known
from flamewire_ledger.chains.networks import read_networks
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.rejection import UnknownNetwork
from flamewire_ledger.settings import Settings
from flamewire_ledger.signatures.scheme import Family
from flamewire_ledger.signatures.verifier import FamilyName, Verifier

Endpoints = Mapping[int, tuple[str, ...]]  # URLs by EIP-155 chain id


def verifier_of(settings: Settings) -> Verifier:
    """A verifier that asks the endpoints of the networks file about contracts."""
    if settings.networks_file is None:
        return verifier({})
    return verifier(
        {
            each.settings.evm_chain_id: each.settings.rpc_urls
            for each in read_networks(settings.networks_file)
            if isinstance(each.settings, EthereumSettings)
        }
    )


def verifier(endpoints: Endpoints) -> Verifier:
    @cache
    def family(name: FamilyName) -> Family:
        try:
            return _family(name, endpoints)
        except ModuleNotFoundError:
            extra = {"evm": "ethereum", "substrate": "bittensor", "sui": "sui"}[name]
            raise UnknownNetwork(
                f"the libraries of this network are not installed: flamewire-ledger[{extra}]",
                pointer="/network",
            ) from None

    return Verifier(family)


def _family(name: FamilyName, endpoints: Endpoints) -> Family:
    match name:
        case "evm":
            from flamewire_ledger.signatures.evm.family import EvmFamily
            from flamewire_ledger.signatures.evm.node import HttpNode

            (realm,) = (each for each in well_known() if each.family == "evm")
            nodes = {number: HttpNode(urls, number) for number, urls in endpoints.items()}
            return EvmFamily(realm.account, nodes)
        case "substrate":
            from flamewire_ledger.signatures.substrate.accounts import SubstrateFamily

            return SubstrateFamily()
        case "sui":
            from flamewire_ledger.signatures.sui.accounts import SuiFamily

            return SuiFamily()
