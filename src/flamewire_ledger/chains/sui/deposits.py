"""Where payers send to on Sui: a pool of addresses that was made beforehand, or one that all share.

Sui's keys are Ed25519, of which nobody can derive addresses without the private key. So the
addresses of a pool come in a file, one a line, from whoever holds the keys; the number of a
payment is its line's, counted from 0 without comments. The file may grow at its end at any time.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Final

from flamewire_ledger.chains.addresses import parse_sui
from flamewire_ledger.chains.chain import Deposit
from flamewire_ledger.chains.networks.sui import BadAddressesFile, SuiSettings, read_addresses
from flamewire_ledger.domain.rejection import AddressesUsedUp

_log = logging.getLogger(__name__)

_FEW_LEFT: Final = 100
AMOUNTS: Final = 9_973  # how many different sums are added before they begin again
_NONCE_BYTES: Final = 16  # 32 digits, of the 36 characters there may be


class AddressPool:
    """The addresses of a file, in its order."""

    def __init__(self, network: str, path: Path) -> None:
        self._network = network
        self._path = path
        self._addresses: tuple[str, ...] = ()
        self._seen: tuple[int, int] | None = None  # when the file was changed, and its size

    def deposit(self, index: int) -> Deposit:
        """The nth address of the file. Raises AddressesUsedUp, which says what to do."""
        if index >= len(self._addresses):
            self._read_on()
        left = len(self._addresses) - index - 1
        if left < 0:
            raise AddressesUsedUp(
                f"the addresses of {self._network} are used up: add new ones at the end of the "
                "network's addresses_file"
            )
        if left < _FEW_LEFT:
            _log.warning("%s: %d addresses are left in addresses_file", self._network, left)
        return Deposit(self._addresses[index], f"{self._path.name}/{index}")

    def _read_on(self) -> None:
        """The file as it is now, if it begins as it did: payments know addresses by their place."""
        try:
            state = self._path.stat()
            if self._seen == (state.st_mtime_ns, state.st_size):
                return
            found = read_addresses(self._path)
        except OSError as error:
            raise AddressesUsedUp(
                f"there are no addresses of {self._network}: {error.strerror}"
            ) from None
        except BadAddressesFile as error:
            raise AddressesUsedUp(f"there are no addresses of {self._network}: {error}") from None
        if found[: len(self._addresses)] != self._addresses:
            raise AddressesUsedUp(
                f"the addresses_file of {self._network} does not begin as it did: put back what was "
                "there, and add new addresses at its end"
            )
        self._addresses, self._seen = found, (state.st_mtime_ns, state.st_size)


class SharedAddress:
    """One address for all payments, which a nonce or the exact amount tells apart."""

    def __init__(self, chain_id: str, address: str, *, by_mark: bool) -> None:
        self._seed = f"{chain_id}/{address}"
        self._address = address
        self._by_mark = by_mark

    def deposit(self, index: int) -> Deposit:
        derivation = f"shared/{index}"
        if not self._by_mark:
            return Deposit(self._address, derivation, adds_units=1 + index % AMOUNTS)
        nonce = hashlib.blake2b(
            f"{self._seed}/{index}".encode(), digest_size=_NONCE_BYTES
        ).hexdigest()
        return Deposit(self._address, derivation, memo=nonce, mark=nonce)


def deposits(network: str, chain_id: str, settings: SuiSettings) -> AddressPool | SharedAddress:
    """What the network's settings ask for."""
    if settings.addresses_file is not None:
        return AddressPool(network, settings.addresses_file)
    assert settings.address is not None, "the networks file names one of the two"
    return SharedAddress(
        chain_id, parse_sui(settings.address), by_mark=settings.payment_kit is not None
    )
