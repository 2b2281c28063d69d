"""EIP-1271: a contract wallet says itself whether a signature is valid. A node is asked, once a claim.

It is asked about the newest block: an owner who was removed a minute ago signs no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from flamewire_ledger.signatures.evm.message import digest_of
from flamewire_ledger.signatures.scheme import Claim, Invalid, Reason, Unverifiable

_IS_VALID_SIGNATURE: Final = bytes.fromhex("1626ba7e")  # isValidSignature(bytes32,bytes)
_YES: Final = _IS_VALID_SIGNATURE.ljust(32, b"\0")


class Reverted(Exception):
    """The contract refused to answer."""


class Node(Protocol):
    """Calls contracts of one chain. signatures/evm/node.py keeps it."""

    async def call(self, contract: bytes, data: bytes) -> bytes:
        """What the call gives back; nothing where there is no contract. Raises Reverted, and
        Unverifiable when there is no answer.
        """


class ContractAccount:
    """The scheme `eip1271`."""

    def __init__(self, nodes: Mapping[int, Node], read_account: Callable[[str], bytes]) -> None:
        """`nodes` by EIP-155 chain id."""
        self._nodes = nodes
        self._read_account = read_account

    async def verify(self, claim: Claim) -> None:
        digest = digest_of(claim, self._read_account)
        node = node_of(self._nodes, claim.evm_chain_id)
        await ask_contract(node, claim.account, digest, claim.signature)


def node_of(nodes: Mapping[int, Node], evm_chain_id: int | None) -> Node:
    """Raises Unverifiable when no node of this chain is configured."""
    node = nodes.get(evm_chain_id) if evm_chain_id is not None else None
    if node is None:
        raise Unverifiable(
            "a contract answers for this signature, and no node of its chain is configured: "
            "name the network with its endpoints in the networks file"
        )
    return node


async def ask_contract(node: Node, contract: bytes, digest: bytes, signature: bytes) -> None:
    """Raises Invalid unless the contract answers with EIP-1271's magic value, and nothing else."""
    try:
        answer = await node.call(contract, _question(digest, signature))
    except Reverted:
        raise Invalid(Reason.CONTRACT_REFUSES) from None
    if not answer:
        raise Invalid(Reason.CONTRACT_MISSING)
    if answer != _YES:
        raise Invalid(Reason.CONTRACT_REFUSES)


def _question(digest: bytes, signature: bytes) -> bytes:
    """isValidSignature(digest, signature) in Ethereum's contract ABI."""
    padding = bytes(-len(signature) % 32)
    head = digest + word(64) + word(len(signature))
    return _IS_VALID_SIGNATURE + head + signature + padding


def word(number: int) -> bytes:
    """A number as the contract ABI has it."""
    return number.to_bytes(32, "big")
