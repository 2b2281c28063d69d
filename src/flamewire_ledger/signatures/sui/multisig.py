"""Sui's MultiSig: 03 ‖ BCS of the signatures, of which members signed, and of all members.

    MultiSig            { signatures: vector<flag ‖ 64 bytes>, bitmap: u16, members }
    MultiSigPublicKey   { vector<(flag ‖ key, weight: u8)>, threshold: u16 }

Every signature that is there has to be right, also one that the threshold does not need. The older
form with a roaring bitmap is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason
from flamewire_ledger.signatures.sui.intent import blake2b_256, digest_of
from flamewire_ledger.signatures.sui.keys import KEY_KINDS, MULTISIG_FLAG, SIGNATURE_BYTES

MEMBERS_MAX: Final = 10
BYTES_MAX: Final = 2 * 1024


@dataclass(frozen=True, slots=True)
class _Member:
    flag: int
    key: bytes
    weight: int


class MultiSig:
    """The scheme `multisig`."""

    async def verify(self, claim: Claim) -> None:
        signatures, bitmap, members, threshold = _read(claim.signature)
        if blake2b_256(_account_preimage(members, threshold)) != claim.account:
            raise Invalid(Reason.SIGNER_DIFFERS)
        signers = [member for at, member in enumerate(members) if bitmap >> at & 1]
        if bitmap >> len(members) or len(signers) != len(signatures):
            raise Invalid(Reason.PARTS_MALFORMED)
        digest = digest_of(claim)
        for member, (flag, signature) in zip(signers, signatures, strict=True):
            if flag != member.flag:
                raise Invalid(Reason.SCHEME_DIFFERS)
            KEY_KINDS[flag].verify(member.key, digest, signature)
        if sum(member.weight for member in signers) < threshold:
            raise Invalid(Reason.THRESHOLD_NOT_MET)


def _account_preimage(members: list[_Member], threshold: int) -> bytes:
    listed = (bytes((it.flag,)) + it.key + bytes((it.weight,)) for it in members)
    return bytes((MULTISIG_FLAG,)) + threshold.to_bytes(2, "little") + b"".join(listed)


def _read(data: bytes) -> tuple[list[tuple[int, bytes]], int, list[_Member], int]:
    """The signatures, the bitmap, the members and their threshold. Raises Invalid."""
    if len(data) > BYTES_MAX:
        raise Invalid(Reason.SIGNATURE_TOO_LONG)
    reader = _Reader(data)
    if reader.take(1)[0] != MULTISIG_FLAG:
        raise Invalid(Reason.SCHEME_DIFFERS)
    signatures = [(reader.flag(), reader.take(SIGNATURE_BYTES)) for _ in range(reader.count())]
    bitmap = int.from_bytes(reader.take(2), "little")
    members = [reader.member() for _ in range(reader.count())]
    threshold = int.from_bytes(reader.take(2), "little")
    reader.end()
    _check_members(members, threshold)
    return signatures, bitmap, members, threshold


def _check_members(members: list[_Member], threshold: int) -> None:
    weights = [member.weight for member in members]
    keys = {(member.flag, member.key) for member in members}
    if 0 in weights or len(keys) != len(members) or not 1 <= threshold <= sum(weights):
        raise Invalid(Reason.MEMBERS_MALFORMED)


class _Reader:
    """BCS, read from the front. Raises Invalid where it ends too early or too late."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise Invalid(Reason.PARTS_MALFORMED)
        self._at += count
        return taken

    def count(self) -> int:
        """How many follow: a byte is enough for as many as there may be."""
        count = self.take(1)[0]
        if not 1 <= count <= MEMBERS_MAX:
            raise Invalid(Reason.PARTS_MALFORMED)
        return count

    def flag(self) -> int:
        flag = self.take(1)[0]
        if flag not in KEY_KINDS:
            raise Invalid(Reason.SCHEME_UNSUPPORTED)
        return flag

    def member(self) -> _Member:
        flag = self.flag()
        key = self.take(KEY_KINDS[flag].key_bytes)
        return _Member(flag, key, self.take(1)[0])

    def end(self) -> None:
        if self._at != len(self._data):
            raise Invalid(Reason.PARTS_MALFORMED)
