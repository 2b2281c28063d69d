"""Multisig accounts of Substrate's pallet-multisig: an address made of its members' and a threshold.

Such an account has no key, and signs nothing off the chain: its members approve each of its
transactions there. What can be known of it beforehand is its address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flamewire_ledger.signatures.scheme import MEMBERS_MAX, Invalid, Reason
from flamewire_ledger.signatures.substrate.payload import blake2b_256

_PREFIX: Final = b"modlpy/utilisuba"
_ONE_BYTE_BELOW: Final = 64

# Lengths are written as SCALE's compact numbers: one byte, or two above 63.
assert MEMBERS_MAX < 2**14


def multisig_account(members: Iterable[bytes], threshold: int) -> bytes:
    """The 32 bytes of the account, whatever the order of its members. Raises Invalid.

    blake2b-256(`modlpy/utilisuba` ‖ compact(n) ‖ sorted members ‖ u16le threshold).
    """
    accounts = sorted(members)
    if not 2 <= len(accounts) <= MEMBERS_MAX or len(set(accounts)) != len(accounts):
        raise Invalid(Reason.MEMBERS_MALFORMED)
    if not 2 <= threshold <= len(accounts) or any(len(each) != 32 for each in accounts):
        raise Invalid(Reason.MEMBERS_MALFORMED)
    return blake2b_256(
        _PREFIX + _compact(len(accounts)) + b"".join(accounts) + threshold.to_bytes(2, "little")
    )


def _compact(number: int) -> bytes:
    if number < _ONE_BYTE_BELOW:
        return bytes([number << 2])
    return (number << 2 | 1).to_bytes(2, "little")
