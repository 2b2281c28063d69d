"""Receipts of the Sui Payment Kit: the event by which a payment to a shared address is known.

    PaymentReceipt { payment_type: Ephemeral | Registry(ID), nonce: String, payment_amount: u64,
                     receiver: address, coin_type: String, timestamp_ms: u64 }

in BCS, as github.com/MystenLabs/sui-payment-kit has it. Anybody can emit an event; only those of
the configured package's own type are read, and what they claim counts as far as it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flamewire_ledger.chains.addresses import sui_address
from flamewire_ledger.chains.sui.coin_types import told_apart

NONCE_BYTES_MAX: Final = 36
_COIN_TYPE_BYTES_MAX: Final = 4096
_EPHEMERAL, _REGISTRY = 0, 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the payer's transaction says it has paid, to whom, and for what."""

    nonce: str
    units: int
    receiver: str
    coin_type: str


class _Unreadable(ValueError):
    """The bytes are no receipt."""


class _Bytes:
    """BCS, read from the front; nothing is made longer than what is there."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    @property
    def is_at_end(self) -> bool:
        return not self._data

    def take(self, count: int) -> bytes:
        if count > len(self._data):
            raise _Unreadable("it ends too early")
        taken, self._data = bytes(self._data[:count]), self._data[count:]
        return taken

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def length(self, most: int) -> int:
        """ULEB128."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > most:
                    break
                return value
        raise _Unreadable("a length is too great")

    def text(self, bytes_max: int) -> str:
        return self.take(self.length(bytes_max)).decode("ascii")


def read_receipt(contents: bytes) -> Receipt | None:
    """The receipt; None when the bytes are something else."""
    source = _Bytes(contents)
    try:
        kind = source.take(1)[0]
        if kind not in (_EPHEMERAL, _REGISTRY):
            return None
        if kind == _REGISTRY:
            source.take(32)
        nonce, units = source.text(NONCE_BYTES_MAX), source.u64()
        receiver, coin = sui_address(source.take(32)), source.text(_COIN_TYPE_BYTES_MAX)
        source.u64()
    except ValueError:  # that of ASCII too
        return None
    if not nonce or not nonce.isprintable() or not source.is_at_end:
        return None
    return Receipt(nonce, units, receiver, told_apart(coin))
