"""What a text can be, and accounts by their networks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.chains.accounts import find_realm, realms, well_known, within
from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.chains.detection import Detection, detect
from flamewire_ledger.domain.rejection import InvalidAddress, UnknownNetwork
from tests.chains.test_addresses import ALICE, ALICE_42, EIP_55

ACCOUNT = EIP_55[2]
CHAINS = ("ethereum", "bittensor", "sui")
WRONG_CASE = ACCOUNT.swapcase().replace("0X", "0x")


def detected(text: str) -> Detection:
    return detect(text, well_known())


def found(text: str) -> set[tuple[str, str, str | None]]:
    return {(it.what, it.network, it.chain_id) for it in detected(text).candidates}


BITTENSOR = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        (ACCOUNT, {("address", "ethereum", None)}),
        (ACCOUNT.lower(), {("address", "ethereum", None)}),
        (ALICE_42, {("address", "bittensor", BITTENSOR)}),
        (f"eip155:1:{ACCOUNT}", {("address", "ethereum", "eip155:1")}),
        (f"{BITTENSOR}:{ALICE_42}", {("address", "bittensor", BITTENSOR)}),
        (f"sui:35834a8a:0x{'ab' * 32}", {("address", "sui", "sui:35834a8a")}),
        ("4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi", {("transaction_id", "sui", None)}),
        ("5812041-3", {("transaction_id", "bittensor", BITTENSOR)}),
        (f"ethereum:{ACCOUNT}", {("payment_uri", "ethereum", None)}),
        (f"ethereum:{ACCOUNT}@8453?value=5", {("payment_uri", "ethereum", "eip155:8453")}),
        (f"ETHEREUM:{ACCOUNT}", {("payment_uri", "ethereum", None)}),
        (
            f"ethereum:pay-{ACCOUNT}@1/transfer?address={ACCOUNT}&uint256=1",
            {("payment_uri", "ethereum", "eip155:1")},
        ),
        (f"sui:0x{'ab' * 32}?amount=5", {("payment_uri", "sui", None)}),
        (f"sui:pay?receiver=0x{'ab' * 32}&amount=5&nonce=n", {("payment_uri", "sui", None)}),
        (f"sui:pay?amount=5&receiver=0x{'ab' * 32}", {("payment_uri", "sui", None)}),
        ("sui:pay?receiver=0xab&amount=5", set()),
        (f"bittensor:{ALICE_42}?amount=5", {("payment_uri", "bittensor", BITTENSOR)}),
    ],
)
def test_what_can_be_one_thing_is_that(text: str, candidates: set[tuple[str, str, str | None]]):
    assert found(text) == candidates
    assert not detected(text).is_ambiguous


def test_what_can_be_several_things_is_ambiguous():
    text = "0x" + "AB" * 32
    assert found(text) == {
        ("address", "sui", None),
        ("transaction_id", "ethereum", None),
        ("transaction_id", "bittensor", BITTENSOR),
    }
    assert detected(text).is_ambiguous
    assert all(name in detected(text).reason for name in ("ambiguous", *CHAINS))
    assert all(it.reason and it.canonical == text.lower() for it in detected(text).candidates)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ACCOUNT.swapcase().replace("0X", "0x"), "EIP-55"),
        (ACCOUNT[2:], "0x before them"),
        (f" {ACCOUNT}", "spaces"),
        (ALICE_42[:-1] + "Z", "checksum"),
        (ss58_address(ALICE, 2), "prefix 2"),
        (f"ethereum:{ACCOUNT.swapcase().replace('0X', '0x')}", "EIP-55"),
        (f"eip155:1:{WRONG_CASE}", "EIP-55"),
        (f"{BITTENSOR}:{ALICE_42[:-1]}Z", "checksum"),
        (f"polkadot:91b171bb158e2d3848fa23a9f1c25182:{ALICE_42}", "which is no network here"),
        (f"ethereum:{ACCOUNT}@1/transfer?address={WRONG_CASE}&uint256=1", "EIP-55"),
        (f"ethereum:{ACCOUNT}@1/transfer?uint256=1", "names no receiver"),
        ("solana:4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi", "like no"),
        ("", "like no"),
        ("x" * 3000, "that long"),
    ],
)
def test_what_is_nothing_here_says_why(text: str, says: str):
    assert detected(text).candidates == ()
    assert says in detected(text).reason


def test_a_payment_on_a_chain_that_is_not_here_says_so():
    only = [find_realm((), "eip155:1")]
    assert detect(f"ethereum:{ACCOUNT}@1", only).candidates
    elsewhere = detect(f"ethereum:{ACCOUNT}@8453", only)
    assert elsewhere.candidates == ()
    assert "eip155:8453" in elsewhere.reason


def test_an_account_on_a_chain_that_is_not_here_says_so():
    only = [find_realm((), "eip155:1")]
    assert detect(f"eip155:1:{ACCOUNT}", only).candidates
    assert "eip155:8453, which is no network here" in detect(f"eip155:8453:{ACCOUNT}", only).reason


@given(st.text(max_size=90))
def test_any_text_is_something_or_nothing(text: str):
    assert detected(text).reason


def test_a_realm_is_found_by_its_name_and_by_caip_2():
    assert [realm.name for realm in realms(())] == list(CHAINS)
    assert find_realm((), "ethereum").evm_chain_id is None
    assert find_realm((), "eip155:8453").evm_chain_id == 8453
    assert find_realm((), "sui:mainnet").family == find_realm((), "sui:35834a8a").family == "sui"
    for name in ("", "solana", "eip155:0", "eip155:01", "eip155:x", "sui:x", "polkadot:91b171bb"):
        with pytest.raises(UnknownNetwork):
            find_realm((), name)


def test_a_caip_10_account_is_of_its_chain():
    realm, address = within(find_realm((), "ethereum"), f"eip155:5:{ACCOUNT}")
    assert (realm.evm_chain_id, address) == (5, ACCOUNT)
    assert within(realm, ACCOUNT) == (realm, ACCOUNT)
    for other in (f"eip155:1:{ACCOUNT}", f"sui:mainnet:{ACCOUNT}", f"x:{ACCOUNT}", "0" * 300):
        with pytest.raises(InvalidAddress):
            within(realm, other)


def test_a_uri_of_a_wallet_names_no_network():
    """Every network of its kind may be meant, whatever it is called here."""
    ours = [replace(realm, name=f"our-{realm.name}") for realm in well_known()]
    for text, kinds in (
        (f"sui:0x{'ab' * 32}?amount=5", {"our-sui"}),
        (f"substrate:{ALICE_42}", {"our-bittensor"}),
        (f"ethereum:{ACCOUNT}", {"our-ethereum"}),
    ):
        candidates = detect(text, ours).candidates
        assert {(it.what, it.network) for it in candidates} == {("payment_uri", *kinds)}


def test_both_names_of_a_sui_network_are_one_chain():
    account = "0x" + "ab" * 32
    for network, named in (("sui:mainnet", "sui:35834a8a"), ("sui:4c78adac", "sui:testnet")):
        realm, address = within(find_realm((), network), f"{named}:{account}")
        assert (realm.chain_id, address) == (find_realm((), named).chain_id, account)
    (found,) = detected(f"sui:mainnet:{account}").candidates
    assert found.canonical == f"sui:35834a8a:{account}"


def test_accounts_are_bytes():
    assert find_realm((), "bittensor").account(ALICE_42) == ALICE
    assert find_realm((), "ethereum").account(ACCOUNT) == bytes.fromhex(ACCOUNT[2:])
    assert find_realm((), "sui").account("0x" + "AB" * 32) == b"\xab" * 32
