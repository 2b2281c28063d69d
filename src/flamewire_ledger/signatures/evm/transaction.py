"""Ethereum transactions: legacy, EIP-2930, EIP-1559, EIP-4844 and EIP-7702, signed or not yet.

A field is never reinterpreted: what is hashed are the items as they came, and each has to be in the
one form that nodes take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm import rlp
from flamewire_ledger.signatures.scheme import Invalid, Reason

# The fields before the signature, by type: n a number of 32 bytes at most, s one of 8, t an address
# or nothing, c an address, d data, a an access list, b blob hashes, u authorizations.
_TYPED: Final = {
    1: "nsnstnda",
    2: "nsnnstnda",
    3: "nsnnscndanb",
    4: "nsnnscndau",
}
_LEGACY: Final = "snstnd"
_SIGNATURE: Final = "nnn"


@dataclass(frozen=True, slots=True)
class Transaction:
    """`signed` is r ‖ s and the parity of y, where the transaction brings them."""

    digest: bytes  # that is signed
    evm_chain_id: int | None  # None: from before EIP-155, good on any chain
    signed: tuple[bytes, int] | None


def read_transaction(data: bytes) -> Transaction:
    """A transaction as nodes take it, or as it is before it is signed. Raises Invalid."""
    try:
        if data[:1] and data[0] in _TYPED:
            return _typed(data[0], _list(rlp.decode(data[1:])))
        return _legacy(_list(rlp.decode(data)))
    except ValueError:
        raise Invalid(Reason.TRANSACTION_MALFORMED) from None


def _typed(kind: int, items: Sequence[rlp.Item]) -> Transaction:
    shape = _TYPED[kind]
    count = len(shape)
    is_signed = len(items) == count + len(_SIGNATURE)
    _check(items, shape + _SIGNATURE if is_signed else shape)
    digest = keccak256(bytes([kind]) + rlp.encode(items[:count]))
    signed = None
    if is_signed:
        parity = _number(items[count])
        if parity > 1:
            raise Invalid(Reason.RECOVERY_ID_INVALID)
        signed = _scalars(items[count + 1 :]), parity
    return Transaction(digest, _number(items[0]), signed)


def _legacy(items: Sequence[rlp.Item]) -> Transaction:
    fields = items[:6]
    if len(items) == 6:
        _check(items, _LEGACY)
        return Transaction(keccak256(rlp.encode(items)), None, None)
    _check(items, _LEGACY + _SIGNATURE)
    v = _number(items[6])
    if not items[7] and not items[8]:  # EIP-155: the chain id and two zeros, to be signed
        return Transaction(keccak256(rlp.encode(items)), v, None)
    signed = _scalars(items[7:])
    if v in (27, 28):
        return Transaction(keccak256(rlp.encode(fields)), None, (signed, v - 27))
    if v < 35:
        raise Invalid(Reason.RECOVERY_ID_INVALID)
    chain_id, parity = divmod(v - 35, 2)
    digest = keccak256(rlp.encode([*fields, _bytes_of(chain_id), b"", b""]))
    return Transaction(digest, chain_id, (signed, parity))


def _scalars(items: Sequence[rlp.Item]) -> bytes:
    return b"".join(_number(item).to_bytes(32, "big") for item in items)


def _bytes_of(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _list(item: rlp.Item) -> Sequence[rlp.Item]:
    if isinstance(item, bytes):
        raise ValueError("a list is expected")
    return item


def _bytes(item: rlp.Item, *lengths: int) -> bytes:
    if not isinstance(item, bytes) or (lengths and len(item) not in lengths):
        raise ValueError("bytes of another length are expected")
    return item


def _number(item: rlp.Item, bytes_max: int = 32) -> int:
    data = _bytes(item)
    if len(data) > bytes_max or data[:1] == b"\0":
        raise ValueError("a number has no zeros before it, and an end")
    return int.from_bytes(data, "big")


def _check(items: Sequence[rlp.Item], shape: str) -> None:
    """Raises ValueError unless each item is of its form."""
    if len(items) != len(shape):
        raise ValueError("another number of fields is expected")
    for item, form in zip(items, shape, strict=True):
        _check_one(item, form)


def _check_one(item: rlp.Item, form: str) -> None:
    match form:
        case "n":
            _number(item)
        case "s":
            _number(item, 8)
        case "t":
            _bytes(item, 0, 20)
        case "c":
            _bytes(item, 20)
        case "d":
            _bytes(item)
        case "a":
            for entry in _list(item):
                account, keys = _list(entry)  # ValueError unless there are two
                _bytes(account, 20)
                for key in _list(keys):
                    _bytes(key, 32)
        case "b":
            for each in _list(item):
                if _bytes(each, 32)[0] != 1:  # the version, EIP-4844
                    raise ValueError("a blob's hash begins with its version")
        case "u":
            for each in _list(item):
                _check(_list(each), "ncs" + _SIGNATURE)
        case _:
            raise AssertionError(f"there is no form {form}")
