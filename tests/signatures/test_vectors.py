"""Every vector gets the verdict it names, and every vector that is changed anywhere is refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flamewire_ledger.chains.accounts import find_realm
from flamewire_ledger.chains.addresses import read_ss58, ss58_address
from flamewire_ledger.domain.ownership import OwnershipChallengeIssued, message_of
from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.signatures.scheme import Reason
from flamewire_ledger.signatures.substrate.multisig import multisig_account
from flamewire_ledger.signatures.verifier import Statement
from tests.signatures.claims import (
    ethereum_statement,
    generated_statement,
    statement,
    substrate_statement,
    sui_statement,
    unhex,
    vectors,
    verdict,
)

ETHEREUM, SUBSTRATE, SUI = vectors("ethereum"), vectors("substrate"), vectors("sui")
GENERATED = vectors("generated")
ALL = [
    *((ethereum_statement(it), it) for it in ETHEREUM["vectors"]),
    *((substrate_statement(it), it) for it in SUBSTRATE["vectors"]),
    *((sui_statement(it), it) for it in SUI["vectors"]),
    *((generated_statement(it), it) for it in GENERATED["vectors"]),
]
# One of a kind is enough to change in every place: those that were handed over, and the wallets.
VALID = [
    pytest.param(claimed, id=it["id"])
    for claimed, it in ALL
    if it["valid"] and (not it["id"].startswith("gen") or it["scheme"] in ("safe", "ecdsa"))
]


@pytest.mark.parametrize(
    ("claimed", "vector"), [pytest.param(*each, id=each[1]["id"]) for each in ALL]
)
def test_a_vector_gets_its_verdict(claimed: Statement, vector: dict[str, Any]):
    found = verdict(claimed)
    assert found.is_valid == vector["valid"], (found, vector["note"])
    assert found.scheme == vector["scheme"]


def test_a_signature_of_substrate_says_its_scheme_by_itself():
    """Tagged or not; of ECDSA without a tag only those that cannot be tagged Ed25519."""
    asked = [
        (replace(claimed, scheme=None), it["scheme"])
        for claimed, it in ALL
        if claimed.family == "substrate" and it["valid"]
    ]
    assert {scheme for _, scheme in asked} == {"sr25519", "ed25519", "ecdsa"}
    for claimed, scheme in asked:
        if scheme == "ecdsa" and claimed.signature.startswith("0x00"):
            continue
        found = verdict(claimed)
        assert (found.is_valid, found.scheme) == (True, scheme), claimed


def test_the_libraries_that_made_them_agree():
    asked = [it for it in GENERATED["vectors"] if "by_library" in it]
    assert len(asked) > 100
    assert [it["id"] for it in asked if it["by_library"] != it["valid"]] == []


def test_challenges_were_signed_by_wallets_of_every_chain():
    """The libraries signed the text that a ledger makes, to the letter."""
    issued = OwnershipChallengeIssued(
        ownership_id="own_1",
        purpose="refund",
        payment_id="pi_1",
        account_id=None,
        network="ethereum",
        chain_id="eip155:1",
        address="0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86",
        kind="personal_message",
        domain="pay.example",
        nonce="0123456789abcdef",
        issued_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        expires_at=datetime(2026, 1, 1, 12, 15, tzinfo=UTC),
    )
    signed = {
        (claimed.family, it["scheme"])
        for claimed, it in ALL
        if it["valid"] and claimed.message == message_of(issued).encode()
    }
    assert signed == {
        *(("substrate", scheme) for scheme in ("sr25519", "ed25519", "ecdsa")),
        *(("sui", scheme) for scheme in ("ed25519", "secp256k1", "secp256r1")),
        ("evm", "secp256k1"),
    }


def test_the_reasons_name_what_is_wrong():
    found = {it["note"]: verdict(claimed).reason for claimed, it in ALL}
    assert found["high-s malleated twin (recovers same address; must be refused)"] == "s_too_high"
    assert found["v=29"] == Reason.RECOVERY_ID_INVALID
    assert found["r=0"] == Reason.R_OUT_OF_RANGE
    assert found["signed wrapped, presented unwrapped"] == Reason.WRAPPED_UNASKED
    assert found["schnorrkel marker bit cleared"] == Reason.MARKER_MISSING
    assert found["63-byte signature"] == Reason.SIGNATURE_WRONG_LENGTH
    assert found["A alone weight 1 < 3"] == Reason.THRESHOLD_NOT_MET


@pytest.mark.parametrize("claimed", VALID)
def test_every_byte_of_a_signature_counts(claimed: Statement):
    signature = read(claimed.signature)  # none, where the transaction brings its own
    # v may be written as 0 or 27: that is one signature in two spellings, and flips no bit of it.
    for at in range(len(signature)):
        changed = bytearray(signature)
        changed[at] ^= 1 << at % 8
        found = verdict(replace(claimed, signature=written(claimed, bytes(changed))))
        assert found.reason is not None, f"byte {at} does not count"


@pytest.mark.parametrize("claimed", VALID)
def test_every_part_of_a_message_counts(claimed: Statement):
    message = claimed.message
    places = range(0, len(message), max(1, len(message) // 150))
    for at in places:
        changed = bytearray(message)
        changed[at] ^= 1
        assert verdict(replace(claimed, message=bytes(changed))).reason is not None
    for other in (message + b"\0", message[:-1], b"\0" + message):
        if other != message and claimed.typed_data is None:
            assert verdict(replace(claimed, message=other)).reason is not None


@pytest.mark.parametrize("claimed", VALID)
def test_a_signature_is_no_longer_and_no_shorter(claimed: Statement):
    signature = read(claimed.signature)
    for other in (signature[:-2], signature + b"\xff", b"\x07" + signature, signature * 2, b""):
        if other != signature:
            text = written(claimed, other)
            assert verdict(replace(claimed, signature=text)).reason is not None, len(other)


def read(text: str) -> bytes:
    return unhex(text) if text.startswith("0x") else base64.b64decode(text)


def written(claimed: Statement, signature: bytes) -> str:
    if claimed.family == "sui":
        return base64.b64encode(signature).decode()
    return "0x" + signature.hex() if signature or claimed.kind != "transaction" else "0x00"


@pytest.mark.parametrize("entry", ETHEREUM["eip55"], ids=lambda it: it["address"])
def test_eip_55_addresses(entry: dict[str, Any]):
    realm = find_realm((), "ethereum")
    if entry["valid"]:
        assert realm.account(entry["address"]) == unhex(entry["address"])
    else:
        with pytest.raises(InvalidAddress):
            realm.account(entry["address"])


@pytest.mark.parametrize("entry", SUBSTRATE["ss58"], ids=lambda it: it["address"])
def test_ss58_addresses(entry: dict[str, Any]):
    if entry["valid"]:
        assert read_ss58(entry["address"]) == (entry["prefix"], unhex(entry["public_key_hex"]))
        assert ss58_address(unhex(entry["public_key_hex"]), entry["prefix"]) == entry["address"]
    else:
        with pytest.raises(InvalidAddress):
            read_ss58(entry["address"])


@pytest.mark.parametrize(
    "entry", SUBSTRATE["multisig"] + GENERATED["multisig"], ids=lambda it: it["address"]
)
def test_substrate_multisig_accounts(entry: dict[str, Any]):
    members = [read_ss58(address)[1] for address in entry["signatories"]]
    account = multisig_account(members, entry["threshold"])
    assert ss58_address(account, 42) == entry["address"]


def test_an_address_of_another_network_is_none_here():
    vector = next(it for it in SUBSTRATE["vectors"] if it["valid"])
    elsewhere = ss58_address(unhex(vector["public_key_hex"]), 2)
    claimed = replace(substrate_statement(vector), address=elsewhere)
    assert verdict(claimed).reason == Reason.ADDRESS_MALFORMED


def test_what_is_for_another_chain_is_refused_where_the_chain_is_named():
    typed = next(it for it in ETHEREUM["vectors"] if it["id"] == "eth-055")  # for chain 10
    transaction = next(it for it in ETHEREUM["vectors"] if it["id"] == "eth-067")  # for chain 137
    for vector, chain in ((typed, "eip155:10"), (transaction, "eip155:137")):
        assert verdict(ethereum_statement(vector, chain)).is_valid
        assert verdict(ethereum_statement(vector, "eip155:1")).reason == Reason.OTHER_CHAIN


def test_a_scheme_that_is_asked_for_has_to_be_the_one():
    vector = next(it for it in SUI["vectors"] if it["valid"] and it["scheme"] == "secp256k1")
    claimed = sui_statement(vector)
    assert verdict(replace(claimed, scheme="secp256k1")).is_valid
    assert verdict(replace(claimed, scheme="ed25519")).reason == Reason.SCHEME_DIFFERS
    assert verdict(replace(claimed, scheme="bls")).reason == Reason.SCHEME_UNSUPPORTED


def test_a_message_is_wrapped_only_when_it_is_asked():
    wrapped = next(it for it in SUBSTRATE["vectors"] if it["wrapped"] and it["valid"])
    inner = unhex(wrapped["inner_hex"])
    asked = statement("bittensor", wrapped["address"], wrapped["signature_hex"], inner)
    assert verdict(asked).reason == Reason.WRAPPED_UNASKED
    assert verdict(replace(asked, kind="personal_message")).is_valid
    assert verdict(replace(asked, message=unhex(wrapped["message_hex"]))).is_valid
    assert verdict(replace(asked, kind="transaction")).reason == Reason.SIGNATURE_MISMATCH
    raw = next(it for it in SUBSTRATE["vectors"] if it["note"] == "raw ascii")
    personal = replace(substrate_statement(raw), kind="personal_message")
    assert verdict(personal).reason == Reason.NOT_WRAPPED
