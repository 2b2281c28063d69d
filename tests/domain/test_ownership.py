"""Ownership: a challenge is met once and in time, and what it registered is revoked once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.domain.ownership import (
    IssueOwnershipChallenge,
    OwnershipAddressRegistered,
    OwnershipAddressRevoked,
    OwnershipChallengeIssued,
    RegisterOwnedAddress,
    RevokeOwnedAddress,
    decide,
    evolve,
    message_of,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    ChallengeExpired,
    ChallengeUsed,
    Malformed,
    NotAllowed,
    NotFound,
    Rejection,
)
from tests.domain.searching import STORIES
from tests.domain.snapshots import through_json
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ISSUE = IssueOwnershipChallenge(
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
    at=NOON,
    expires_at=NOON + timedelta(seconds=900),
)


def second(seconds):
    return NOON + timedelta(seconds=seconds)


def register(at=10, signature="0x01"):
    return RegisterOwnedAddress("own_1", "secp256k1", signature, second(at))


def revoke(at=20):
    return RevokeOwnedAddress("own_1", second(at))


def story():
    return Spec(decide, evolve)


def test_a_challenge_is_issued_once():
    spec = story().when(ISSUE).then(fact(OwnershipChallengeIssued, nonce=ISSUE.nonce))
    assert through_json(spec.state) == spec.state
    spec.when(ISSUE).then_refused(AlreadyExists)


@pytest.mark.parametrize(
    "changed",
    [
        {"payment_id": None},
        {"account_id": "ca_1"},
        {"expires_at": NOON},
        {"nonce": "1234567"},
        {"nonce": "0123456789 abcdef"},
        {"nonce": ""},
        {"domain": ""},
        {"domain": "pay.example\nNonce: 00000000"},
        {"network": "ethereum\r"},
        {"address": "0x\u2028"},
    ],
)
def test_a_challenge_that_could_be_read_in_two_ways_is_not_issued(changed):
    story().when(replace(ISSUE, **changed)).then_refused(Malformed)


def test_the_text_says_who_asks_for_what_of_whom_and_until_when():
    spec = story().given(ISSUE)
    assert message_of(spec.state.issued) == (
        "pay.example asks you to prove that this ethereum account is yours:\n"
        "0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86\n"
        "\n"
        "What is paid back for payment intent pi_1 may be sent to it. "
        "To sign this moves no money and allows nothing else.\n"
        "\n"
        "URI: urn:flamewire:ownership:own_1\n"
        "Version: 1\n"
        "Chain ID: eip155:1\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-01-01T12:00:00Z\n"
        "Expiration Time: 2026-01-01T12:15:00Z\n"
        "Request ID: own_1\n"
        "Resources:\n"
        "- eip155:1:0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86"
    )
    sender = replace(ISSUE, purpose="sender", payment_id=None, account_id="ca_1")
    text = message_of(story().given(sender).state.issued)
    assert "What it sends may be taken as paid for credit account ca_1." in text


def test_no_two_challenges_have_one_text():
    others = [
        {"ownership_id": "own_2"},
        {"purpose": "sender"},
        {"payment_id": "pi_2"},
        {"payment_id": None, "account_id": "pi_1"},
        {"network": "base"},
        {"chain_id": "eip155:8453"},
        {"address": "0x19938c8416bBD5dc19e29207B1fe09eD3161469a"},
        {"domain": "pay.example.com"},
        {"nonce": "0123456789abcdeg"},
        {"at": second(1)},
        {"expires_at": second(901)},
    ]
    issued = [story().given(replace(ISSUE, **each)).state.issued for each in [{}, *others]]
    assert len({message_of(each) for each in issued}) == len(issued)


def test_who_meets_the_challenge_registers_its_address():
    spec = story().given(ISSUE).when(register())
    spec.then(
        fact(
            OwnershipAddressRegistered,
            address=ISSUE.address,
            chain_id="eip155:1",
            payment_id="pi_1",
            purpose="refund",
            scheme="secp256k1",
            signature="0x01",
            registered_at=second(10),
        )
    )
    assert through_json(spec.state) == spec.state


def test_a_challenge_is_met_once():
    spec = story().given(ISSUE, register())
    spec.when(register()).then_refused(ChallengeUsed)
    spec.when(register(signature="0x02")).then_refused(ChallengeUsed)
    spec.when(register(at=9000)).then_refused(ChallengeUsed)
    spec.given(revoke()).when(register()).then_refused(ChallengeUsed)


def test_a_challenge_is_met_in_time():
    story().given(ISSUE).when(register(at=899)).then(OwnershipAddressRegistered)
    story().given(ISSUE).when(register(at=900)).then_refused(ChallengeExpired)


def test_a_challenge_that_nobody_issued_is_not_met_or_revoked():
    story().when(register()).then_refused(NotFound)
    story().when(revoke()).then_refused(NotFound)


def test_an_address_is_revoked_once_and_not_before_it_is_registered():
    spec = story().given(ISSUE)
    spec.when(revoke()).then_refused(NotAllowed)
    spec.given(register()).when(revoke()).then(fact(OwnershipAddressRevoked, revoked_at=second(20)))
    spec.when(revoke(at=30)).then_nothing_new()
    assert spec.state.revoked_at == second(20)


STEPS = st.lists(
    st.one_of(
        st.just(ISSUE),
        st.builds(register, st.integers(0, 2000), st.sampled_from(["0x01", "0x02"])),
        st.builds(revoke, st.integers(0, 2000)),
    ),
    max_size=12,
)


@STORIES
@given(STEPS)
def test_whatever_is_tried_an_address_is_registered_once_at_most_and_in_time(steps):
    spec = story()
    for step in steps:
        before = len(spec.events)
        spec.when(step)
        if isinstance(spec.outcome, Rejection):
            assert len(spec.events) == before
    kinds = [type(event) for event in spec.events]
    order = [OwnershipChallengeIssued, OwnershipAddressRegistered, OwnershipAddressRevoked]
    assert kinds == order[: len(kinds)]
    for event in spec.events:
        if isinstance(event, OwnershipAddressRegistered):
            assert event.registered_at < ISSUE.expires_at
