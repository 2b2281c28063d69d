"""Whose an address is: kinds of chain by their names and CAIP-2 ids, and accounts as bytes.

A name that is configured means the configured network. Beside those, the well-known ones are always
there: `ethereum`, `bittensor`, `sui`, every `eip155:…` and `sui:…`. Signatures are verified for
networks on which nobody pays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from flamewire_ledger.chains import addresses
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.rejection import InvalidAddress, UnknownNetwork

Family: TypeAlias = Literal["evm", "substrate", "sui"]
BITTENSOR: Final = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"
BITTENSOR_PREFIX: Final = 42
_CAIP_2: Final = re.compile(r"([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32})\Z")
_NO_CAIP_19: Final = re.compile(r"[^-.a-zA-Z0-9]")
_EVM_REFERENCE: Final = re.compile(r"[1-9][0-9]{0,30}\Z")
_SUI_REFERENCE: Final = re.compile(r"[0-9a-f]{8}\Z|mainnet\Z|testnet\Z|devnet\Z")
# Common names of Sui's networks beside their CAIP-2 ids, which come from the genesis checkpoint.
SUI_ALIASES: Final = {"sui:mainnet": "sui:35834a8a", "sui:testnet": "sui:4c78adac"}
_SANDBOX: Final = "sandbox:"
_TEXT_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Realm:
    """A kind of chain, and which chain of it where that is said."""

    family: Family
    name: str
    chain_id: str | None  # CAIP-2; None: any of them, as in the sandbox
    canonical: Callable[[str], str]  # the one spelling of an address; raises InvalidAddress
    sandbox_id: str | None = None  # CAIP-2 of the sandbox chain that it is here

    @property
    def evm_chain_id(self) -> int | None:
        if self.family != "evm" or self.chain_id is None:
            return None
        return int(self.chain_id.partition(":")[2])

    def account(self, text: str) -> bytes:
        """The bytes of an account: 20 on EVM chains, 32 elsewhere. Raises InvalidAddress."""
        spelled = self.canonical(text)
        if self.family == "substrate":
            return addresses.read_ss58(spelled)[1]
        return bytes.fromhex(spelled[2:])


def caip_19(chain_id: str, namespace: str, reference: str) -> str:
    """The id of an asset. What CAIP-19 has no letter for is percent-encoded: the :: of Sui's coin types."""
    spelled = _NO_CAIP_19.sub(lambda found: f"%{ord(found[0]):02X}", reference)
    return f"{chain_id}/{namespace}:{spelled}"


def well_known() -> tuple[Realm, ...]:
    """What every ledger knows by name."""
    return (
        Realm("evm", "ethereum", None, addresses.parse_evm),
        Realm("substrate", "bittensor", BITTENSOR, _parse_bittensor),
        Realm("sui", "sui", None, addresses.parse_sui),
    )


def realms(chains: Sequence[Chain]) -> tuple[Realm, ...]:
    """The configured networks, and the well-known ones whose names they leave free."""
    found = [realm for chain in chains if (realm := _realm_of(chain)) is not None]
    names = {realm.name for realm in found}
    return (*found, *(realm for realm in well_known() if realm.name not in names))


def find_realm(chains: Sequence[Chain], name: str, pointer: str = "/network") -> Realm:
    """The realm by a network's alias or CAIP-2 id. Raises UnknownNetwork."""
    known = realms(chains)
    chain_id = SUI_ALIASES.get(name, name)
    for realm in known:
        if name == realm.name or chain_id == realm.chain_id:
            return realm
    for chain in chains:
        if name == chain.network.chain_id and (found := _realm_of(chain)) is not None:
            return found
    if (named := _by_caip_2(name)) is not None:
        return named
    names = ", ".join(realm.name for realm in known)
    raise UnknownNetwork(
        f"there is no such network here; there is {names}, and CAIP-2 ids such as eip155:1",
        pointer=pointer,
    )


def within(realm: Realm, text: str) -> tuple[Realm, str]:
    """An address that may be a CAIP-10 account (`eip155:1:0x…`): the realm that it then is in, and the
    address alone. Raises InvalidAddress when that is another chain than the realm's.
    """
    if len(text) > _TEXT_MAX:
        raise InvalidAddress("no address is that long")
    chain_id, colon, address = text.rpartition(":")
    if not colon:
        return realm, text
    if chain_id == realm.sandbox_id:
        return realm, address
    named = realm if chain_id == realm.chain_id else _by_caip_2(chain_id)
    if named is None or named.family != realm.family:
        raise InvalidAddress("the CAIP-10 account is not of this network")
    if realm.chain_id not in (None, named.chain_id):
        raise InvalidAddress("the CAIP-10 account is of another chain")
    return replace(realm, chain_id=named.chain_id), address


def locate(chains: Sequence[Chain], network: str, address: str) -> tuple[Realm, str]:
    """The realm and the address of a request that names both; the address may be CAIP-10."""
    return within(find_realm(chains, network), address)


def _realm_of(chain: Chain) -> Realm | None:
    network = chain.network
    if network.chain_id.startswith(_SANDBOX):
        for realm in well_known():
            if network.chain_id == _SANDBOX + realm.name:
                return replace(
                    realm,
                    name=network.name,
                    canonical=chain.canonical_address,
                    sandbox_id=network.chain_id,
                )
        return None
    namespace = network.chain_id.partition(":")[0]
    family = _FAMILIES.get(namespace)
    if family is None:
        return None
    return Realm(family, network.name, network.chain_id, chain.canonical_address)


_FAMILIES: Final[dict[str, Family]] = {"eip155": "evm", "polkadot": "substrate", "sui": "sui"}


def _by_caip_2(text: str) -> Realm | None:
    """What a CAIP-2 id says by itself. Of Substrate chains it does not say the SS58 prefix, so only
    Bittensor's is known.
    """
    found = _CAIP_2.match(text)
    if found is None:
        return None
    match found[1], found[2]:
        case "eip155", reference if _EVM_REFERENCE.match(reference):
            return Realm("evm", text, text, addresses.parse_evm)
        case "sui", reference if _SUI_REFERENCE.match(reference):
            named = SUI_ALIASES.get(text, text)
            return Realm("sui", named, named, addresses.parse_sui)
        case "polkadot", _ if text == BITTENSOR:
            return Realm("substrate", "bittensor", text, _parse_bittensor)
        case _:
            return None


def _parse_bittensor(text: str) -> str:
    return addresses.parse_ss58(text, BITTENSOR_PREFIX)
