"""Deposit addresses from an extended public key (BIP-32): watch-only, no secret is here to be lost.

An account's key (m/44'/60'/0') gives 0/n, the key of its external chain (m/44'/60'/0'/0) gives n:
both are the addresses a wallet shows.
"""

from __future__ import annotations

from typing import Any, Final

from flamewire_ledger.chains.chain import Deposit
from flamewire_ledger.chains.forwarders import Forwarders
from flamewire_ledger.chains.networks.ethereum import EthereumSettings

_ACCOUNT_DEPTH: Final = 3
_EXTERNAL_DEPTH: Final = 4
INDEX_MAX: Final = 2**31 - 1  # beyond that BIP-32 derives with the private key only


class BadExtendedKey(ValueError):
    """The extended key cannot be used. The message never holds the key."""


def deposits_of(settings: EthereumSettings) -> DepositAddresses | Forwarders:
    """What gives a network its addresses: keys of a wallet, or contracts."""
    if settings.forwarders is not None:
        return settings.forwarders
    assert settings.xpub is not None, "a network has an xpub or forwarders: its file was read"
    return DepositAddresses(settings.xpub)


class DepositAddresses:
    """The addresses of one extended public key. Raises BadExtendedKey when it is not one."""

    def __init__(self, xpub: str) -> None:
        # Bip-utils takes 0.4 s to import, and only who gives out addresses needs it.
        from bip_utils import Base58ChecksumError, Bip32KeyError, Bip32Slip10Secp256k1

        if xpub[1:4] == "prv":
            raise BadExtendedKey(
                "the xpub of a network is a private key: put the extended *public* key there, "
                "and move the money away if this file was ever shared"
            )
        try:
            key = Bip32Slip10Secp256k1.FromExtendedKey(xpub)
        except (Base58ChecksumError, Bip32KeyError, ValueError):
            raise BadExtendedKey(
                "the xpub of a network is mistyped: it is no extended key"
            ) from None
        if not key.IsPublicOnly():
            raise BadExtendedKey("the xpub of a network is a private key: put the public one there")
        depth = key.Depth().ToInt()
        if depth not in (_ACCOUNT_DEPTH, _EXTERNAL_DEPTH):
            raise BadExtendedKey(
                f"the xpub of a network has depth {depth}: take that of an account (m/44'/60'/0') "
                "or of its external chain (m/44'/60'/0'/0)"
            )
        fingerprint = key.FingerPrint().ToHex()
        is_account = depth == _ACCOUNT_DEPTH
        self._chain: Any = key.ChildKey(0) if is_account else key
        self._path = f"{fingerprint}/0" if is_account else fingerprint

    def deposit(self, index: int) -> Deposit:
        """The nth address; its derivation names the key by its BIP-32 fingerprint."""
        from bip_utils import EthAddrEncoder

        if not 0 <= index <= INDEX_MAX:
            raise ValueError(f"a deposit address has a number from 0 to {INDEX_MAX}")
        public_key = self._chain.ChildKey(index).PublicKey().KeyObject()
        return Deposit(EthAddrEncoder.EncodeKey(public_key), f"{self._path}/{index}")
