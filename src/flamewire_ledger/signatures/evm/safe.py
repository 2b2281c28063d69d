"""Safe wallets: signatures of several owners, one behind the other (checkNSignatures of Safe 1.3 and
1.4).

Each part has 65 bytes: r ‖ s ‖ v for an owner with a key (v + 4 over an EIP-191 message of the
digest); an owner in r and v = 1 for a hash approved on the chain; an owner in r, a place behind
all parts in s, and v = 0 for an owner that is a contract. Stricter than the contract: every part
counts, each has a low s, and nothing is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm.account import signer
from flamewire_ledger.signatures.evm.contract import (
    Node,
    Reverted,
    ask_contract,
    node_of,
    word,
)
from flamewire_ledger.signatures.evm.message import digest_of, personal_digest
from flamewire_ledger.signatures.scheme import (
    MEMBERS_MAX,
    Claim,
    Invalid,
    Members,
    Reason,
    Unverifiable,
)

PART_BYTES: Final = 65
_GET_OWNERS: Final = keccak256(b"getOwners()")[:4]
_GET_THRESHOLD: Final = keccak256(b"getThreshold()")[:4]
_APPROVED_HASHES: Final = keccak256(b"approvedHashes(address,bytes32)")[:4]
_DOMAIN_TYPE: Final = keccak256(b"EIP712Domain(uint256 chainId,address verifyingContract)")
_MESSAGE_TYPE: Final = keccak256(b"SafeMessage(bytes message)")


class SafeAccount:
    """The scheme `safe`. Without members in the claim, the contract is asked who its owners are."""

    def __init__(self, nodes: Mapping[int, Node], read_account: Callable[[str], bytes]) -> None:
        self._nodes = nodes
        self._read_account = read_account

    async def verify(self, claim: Claim) -> None:
        digest = self._digest(claim)
        members = claim.members or await self._members(claim)
        await self._check_parts(claim, digest, members)

    def _digest(self, claim: Claim) -> bytes:
        """A transaction of the Safe is typed data for it; a message is wrapped in a SafeMessage."""
        digest = digest_of(claim, self._read_account)
        if claim.kind != "typed_data":
            if claim.evm_chain_id is None:
                raise Unverifiable("a Safe signs messages for one chain: name it, as in eip155:1")
            return safe_message_digest(claim.evm_chain_id, claim.account, digest)
        contract = claim.typed_data["domain"].get("verifyingContract")
        if contract is None or self._read_account(contract) != claim.account:
            raise Invalid(Reason.OTHER_CONTRACT)
        return digest

    async def _members(self, claim: Claim) -> Members:
        node = node_of(self._nodes, claim.evm_chain_id)
        try:
            owners = await node.call(claim.account, _GET_OWNERS)
            threshold = await node.call(claim.account, _GET_THRESHOLD)
        except Reverted:
            raise Invalid(Reason.CONTRACT_REFUSES) from None
        if not owners:
            raise Invalid(Reason.CONTRACT_MISSING)
        return _read_members(owners, threshold)

    async def _check_parts(self, claim: Claim, digest: bytes, members: Members) -> None:
        parts, tail = _parts(claim.signature)
        if len(parts) < members.threshold:
            raise Invalid(Reason.THRESHOLD_NOT_MET)
        if len(parts) > len(members.accounts):
            raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
        last = bytes(20)
        read_up_to = len(parts) * PART_BYTES
        for part in parts:
            owner, read_up_to = await self._owner(claim, digest, part, read_up_to)
            if owner not in members.accounts:
                raise Invalid(Reason.NOT_A_MEMBER)
            if owner <= last:
                raise Invalid(Reason.MEMBERS_UNSORTED)
            last = owner
        if read_up_to != len(parts) * PART_BYTES + len(tail):
            raise Invalid(Reason.PARTS_MALFORMED)

    async def _owner(
        self, claim: Claim, digest: bytes, part: bytes, read_up_to: int
    ) -> tuple[bytes, int]:
        """Who signed by this part, and how far the tail has been read after it."""
        v = part[64]
        match v:
            case 27 | 28:
                return signer(digest, part[:64], v - 27), read_up_to
            case 31 | 32:
                return signer(personal_digest(digest), part[:64], v - 31), read_up_to
            case 1:
                return await self._approver(claim, digest, part), read_up_to
            case 0:
                owner = _account(part[:32])
                inner = _inner(claim.signature, part, read_up_to)
                node = node_of(self._nodes, claim.evm_chain_id)
                await ask_contract(node, owner, digest, inner)
                return owner, read_up_to + 32 + len(inner)
            case _:
                raise Invalid(Reason.RECOVERY_ID_INVALID)

    async def _approver(self, claim: Claim, digest: bytes, part: bytes) -> bytes:
        owner = _account(part[:32])
        if any(part[32:64]):
            raise Invalid(Reason.PARTS_MALFORMED)
        node = node_of(self._nodes, claim.evm_chain_id)
        question = _APPROVED_HASHES + owner.rjust(32, b"\0") + digest
        try:
            answer = await node.call(claim.account, question)
        except Reverted:
            answer = b""
        if len(answer) != 32 or not any(answer):
            raise Invalid(Reason.SIGNATURE_MISMATCH)
        return owner


def safe_message_digest(evm_chain_id: int, safe: bytes, digest: bytes) -> bytes:
    """What owners sign for a message: EIP-712 of SafeMessage, whose bytes are the message's digest."""
    domain = keccak256(_DOMAIN_TYPE + word(evm_chain_id) + safe.rjust(32, b"\0"))
    return keccak256(b"\x19\x01" + domain + keccak256(_MESSAGE_TYPE + keccak256(digest)))


def _parts(signature: bytes) -> tuple[list[bytes], bytes]:
    """The parts of 65 bytes, and the tail with what contracts are shown.

    The tail begins where the first contract part says it does; without one there is none.
    """
    end = len(signature)
    for at in range(0, len(signature) - PART_BYTES + 1, PART_BYTES):
        if at >= end:
            break
        if signature[at + 64] == 0:
            end = min(end, int.from_bytes(signature[at + 32 : at + 64], "big"))
    if end == 0 or end % PART_BYTES or end > MEMBERS_MAX * PART_BYTES:
        raise Invalid(Reason.SIGNATURE_WRONG_LENGTH)
    return [signature[at : at + PART_BYTES] for at in range(0, end, PART_BYTES)], signature[end:]


def _inner(signature: bytes, part: bytes, read_up_to: int) -> bytes:
    """What a contract is shown. The parts' tails stand in their order, without gaps."""
    at = int.from_bytes(part[32:64], "big")
    if at != read_up_to or at + 32 > len(signature):
        raise Invalid(Reason.PARTS_MALFORMED)
    length = int.from_bytes(signature[at : at + 32], "big")
    if at + 32 + length > len(signature):
        raise Invalid(Reason.PARTS_MALFORMED)
    return signature[at + 32 : at + 32 + length]


def _account(padded: bytes) -> bytes:
    if any(padded[:12]):
        raise Invalid(Reason.PARTS_MALFORMED)
    return padded[12:]


def _read_members(owners: bytes, threshold: bytes) -> Members:
    """The answers of getOwners (address[]) and getThreshold (uint256)."""
    count = int.from_bytes(owners[32:64], "big")
    if len(threshold) != 32 or count > MEMBERS_MAX or len(owners) != 64 + 32 * count:
        raise Invalid(Reason.MEMBERS_MALFORMED)
    accounts = tuple(owners[64 + 32 * at + 12 : 96 + 32 * at] for at in range(count))
    needed = int.from_bytes(threshold, "big")
    if not 1 <= needed <= count or owners[:32] != word(32):
        raise Invalid(Reason.MEMBERS_MALFORMED)
    return Members(accounts, needed)
