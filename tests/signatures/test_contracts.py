"""Contracts answer for themselves: EIP-1271 through a real node, and Safe wallets through a node as the
test wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from coincurve import PrivateKey

from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm.account import signer
from flamewire_ledger.signatures.evm.contract import Reverted, word
from flamewire_ledger.signatures.evm.message import personal_digest
from flamewire_ledger.signatures.evm.node import HttpNode
from flamewire_ledger.signatures.evm.safe import safe_message_digest
from flamewire_ledger.signatures.scheme import Reason, Unverifiable
from flamewire_ledger.signatures.verifier import Verdict, WrittenMembers
from tests.services.anvil import CHAIN_ID, Anvil
from tests.signatures.claims import statement, unhex, vectors, with_nodes

WALLET = "0x1111111111111111111111111111111111111111"
MESSAGE = b"this refund address is mine"
NETWORK = f"eip155:{CHAIN_ID}"
YES = unhex("1626ba7e").ljust(32, b"\0")
REVERTS = "0x60006000fd"
COMES_TO_NO_ANSWER = {
    "it goes round until its gas is spent": "0x5b600056",
    "an instruction that there is not": "0xfe",
    "a jump to nowhere": "0x60ff56",
    "nothing on the stack": "0x50",
    "a hundred thousand bytes": "0x620186a06000f3",
}


def answers_for(digest: bytes) -> str:
    """The code of a contract that answers with the magic value for one digest, and with 0 otherwise."""
    return "0x7f" + digest.hex() + "60043514" + "631626ba7e0260e01b" + "60005260206000f3"


async def asked(
    node: HttpNode | Node, message: bytes = MESSAGE, network: str = NETWORK, address: str = WALLET
) -> Verdict:
    claimed = statement(network, address, "0xabcd", message, scheme="eip1271")
    return await with_nodes({CHAIN_ID: node}).verify(claimed)


async def test_a_real_contract_is_asked_and_believed(anvil: Anvil):
    anvil.rpc("anvil_setCode", WALLET, answers_for(personal_digest(MESSAGE)))
    node = HttpNode([anvil.url], CHAIN_ID)
    assert (await asked(node)).is_valid
    assert (await asked(node, b"another message")).reason == Reason.CONTRACT_REFUSES
    nobody = "0x" + "22" * 20
    assert (await asked(node, address=nobody)).reason == Reason.CONTRACT_MISSING
    anvil.rpc("anvil_setCode", WALLET, REVERTS)
    assert (await asked(node)).reason == Reason.CONTRACT_REFUSES


async def test_a_contract_that_comes_to_no_answer_refuses(anvil: Anvil):
    """It always will: nobody should be told to ask again."""
    node = HttpNode([anvil.url], CHAIN_ID)
    for what, code in COMES_TO_NO_ANSWER.items():
        anvil.rpc("anvil_setCode", WALLET, code)
        assert (await asked(node)).reason == Reason.CONTRACT_REFUSES, what


async def test_a_node_that_is_gone_or_of_another_chain_gives_no_verdict(anvil: Anvil):
    anvil.rpc("anvil_setCode", WALLET, answers_for(personal_digest(MESSAGE)))
    gone = "http://127.0.0.1:9"
    assert (await asked(HttpNode([gone, anvil.url], CHAIN_ID))).is_valid
    with pytest.raises(Unverifiable) as unknown:
        await asked(HttpNode([gone], CHAIN_ID))
    assert unknown.value.is_passing
    assert gone not in str(unknown.value)
    claimed = statement("eip155:1", WALLET, "0xabcd", MESSAGE, scheme="eip1271")
    believing = with_nodes({1: HttpNode([anvil.url], 1)})  # until it asks which chain that is
    with pytest.raises(Unverifiable):
        await believing.verify(claimed)
    with pytest.raises(Unverifiable) as missing:
        await asked(HttpNode([anvil.url], CHAIN_ID), network="eip155:5")
    assert not missing.value.is_passing


@dataclass
class Node:
    """Answers by contract and by the first four bytes of the call."""

    answers: Mapping[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    reverts: bool = False

    async def call(self, contract: bytes, data: bytes) -> bytes:
        if self.reverts:
            raise Reverted
        return self.answers.get((contract, data[:4]), b"")


@pytest.mark.parametrize(
    "answer", [YES[:4], YES + YES, YES[:31] + b"\1", word(1), b"\0" * 32, YES[::-1]]
)
async def test_nothing_but_the_magic_value_is_a_yes(answer: bytes):
    node = Node({(unhex(WALLET), YES[:4]): answer})
    assert (await asked(node)).reason == Reason.CONTRACT_REFUSES


# Safe wallets: vectors, and owners of every kind.

SAFE = vectors("ethereum")["safe"]
SAFE_TX = next(it for it in vectors("ethereum")["vectors"] if it["id"] == "eth-052")["typed"]


@pytest.mark.parametrize("case", SAFE["cases"], ids=lambda it: it["note"])
async def test_a_safe_transaction_gets_the_verdict_of_its_vector(case: dict[str, object]):
    members = WrittenMembers(tuple(SAFE["owners"]), SAFE["threshold"])
    claimed = statement(
        "ethereum", WALLET, str(case["sigs"]), kind="typed_data", typed_data=SAFE_TX,
        scheme="safe", members=members,
    )  # fmt: skip
    assert SAFE_TX["domain"]["verifyingContract"] == WALLET
    found = await with_nodes({}).verify(claimed)
    assert found.is_valid == case["valid"], found
    elsewhere = statement(
        "ethereum", SAFE["owners"][0], str(case["sigs"]), kind="typed_data", typed_data=SAFE_TX,
        scheme="safe", members=members,
    )  # fmt: skip
    assert (await with_nodes({}).verify(elsewhere)).reason == Reason.OTHER_CONTRACT


KEYS = [PrivateKey(keccak256(f"owner {number}".encode())) for number in range(3)]
DIGEST = safe_message_digest(CHAIN_ID, unhex(WALLET), personal_digest(MESSAGE))


def signed(key: PrivateKey, digest: bytes) -> bytes:
    made = key.sign_recoverable(digest, hasher=None)
    return made[:64] + bytes([made[64] + 27])


def account(key: PrivateKey) -> bytes:
    made = key.sign_recoverable(DIGEST, hasher=None)
    return signer(DIGEST, made[:64], made[64])


OWNERS = sorted(KEYS, key=account)
CONTRACT = b"\xff" * 20  # an owner that is a contract: it sorts behind all others
OWNERS_CALL, THRESHOLD_CALL = keccak256(b"getOwners()")[:4], keccak256(b"getThreshold()")[:4]
APPROVED_CALL = keccak256(b"approvedHashes(address,bytes32)")[:4]


def a_safe(**answers: bytes) -> Node:
    """A node with a Safe of three keys and a contract, of which two have to sign."""
    owners = [*(account(key) for key in OWNERS), CONTRACT]
    listed = word(32) + word(len(owners)) + b"".join(owner.rjust(32, b"\0") for owner in owners)
    safe = unhex(WALLET)
    return Node(
        {
            (safe, OWNERS_CALL): answers.get("owners", listed),
            (safe, THRESHOLD_CALL): answers.get("threshold", word(2)),
            (safe, APPROVED_CALL): answers.get("approved", word(1)),
            (CONTRACT, YES[:4]): answers.get("contract", YES),
        }
    )


async def of_safe(signature: bytes, node: Node | None = None) -> Verdict:
    claimed = statement(NETWORK, WALLET, "0x" + signature.hex(), MESSAGE, scheme="safe")
    return await with_nodes({CHAIN_ID: node or a_safe()}).verify(claimed)


def approved(owner: bytes) -> bytes:
    return owner.rjust(32, b"\0") + bytes(32) + b"\1"


def by_contract(place: int, inner: bytes = b"inner") -> tuple[bytes, bytes]:
    """A part of a contract that is an owner, and its tail."""
    return CONTRACT.rjust(32, b"\0") + word(place) + b"\0", word(len(inner)) + inner


ONE, TWO = signed(OWNERS[0], DIGEST), signed(OWNERS[1], DIGEST)
BY_ETH_SIGN = (made := signed(OWNERS[1], personal_digest(DIGEST)))[:64] + bytes([made[64] + 4])
PART, TAIL = by_contract(130)


@pytest.mark.parametrize(
    "signature",
    [ONE + TWO, ONE + BY_ETH_SIGN, approved(account(OWNERS[0])) + TWO, ONE + PART + TAIL],
    ids=["keys", "eth_sign", "approved hash", "contract"],
)
async def test_owners_of_every_kind_sign_for_a_safe(signature: bytes):
    assert (await of_safe(signature)).is_valid


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (b"", Reason.SIGNATURE_WRONG_LENGTH),
        (ONE, Reason.THRESHOLD_NOT_MET),
        (TWO + ONE, Reason.MEMBERS_UNSORTED),
        (ONE + ONE, Reason.MEMBERS_UNSORTED),
        (ONE + TWO[:-1], Reason.SIGNATURE_WRONG_LENGTH),
        (ONE + TWO + b"\0", Reason.SIGNATURE_WRONG_LENGTH),
        (ONE + TWO[:64] + b"\x1d", Reason.RECOVERY_ID_INVALID),
        (ONE + signed(PrivateKey(b"\1" * 32), DIGEST), Reason.NOT_A_MEMBER),
        (ONE + PART + TAIL + b"\0", Reason.PARTS_MALFORMED),
        (ONE + PART + TAIL[:-1], Reason.PARTS_MALFORMED),
        (ONE + PART, Reason.PARTS_MALFORMED),
        (ONE + b"".join(by_contract(131)), Reason.SIGNATURE_WRONG_LENGTH),
        (ONE + b"".join(by_contract(2**255)), Reason.SIGNATURE_WRONG_LENGTH),
        (ONE + b"\1" + PART[1:] + TAIL, Reason.PARTS_MALFORMED),
        (approved(account(OWNERS[0]))[:63] + b"\1\1" + TWO, Reason.PARTS_MALFORMED),
    ],
)
async def test_what_a_safe_does_not_take_is_refused(signature: bytes, reason: Reason):
    assert (await of_safe(signature)).reason == reason


async def test_a_safe_of_which_the_node_tells_nonsense_is_refused():
    for node, reason in (
        (Node(), Reason.CONTRACT_MISSING),
        (Node(reverts=True), Reason.CONTRACT_REFUSES),
        (a_safe(owners=b"\1"), Reason.MEMBERS_MALFORMED),
        (a_safe(owners=word(32) + word(2**200)), Reason.MEMBERS_MALFORMED),
        (a_safe(threshold=word(0)), Reason.MEMBERS_MALFORMED),
        (a_safe(threshold=word(5)), Reason.MEMBERS_MALFORMED),
        (a_safe(threshold=word(3)), Reason.THRESHOLD_NOT_MET),
    ):
        assert (await of_safe(ONE + TWO, node)).reason == reason
    unapproved = a_safe(approved=word(0))
    signature = approved(account(OWNERS[0])) + TWO
    assert (await of_safe(signature, unapproved)).reason == Reason.SIGNATURE_MISMATCH
    refusing = a_safe(contract=word(0))
    assert (await of_safe(ONE + PART + TAIL, refusing)).reason == Reason.CONTRACT_REFUSES
