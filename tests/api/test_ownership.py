"""Proof of ownership: a challenge is signed by its address, once, in time, and for what it says."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import httpx
import pytest

from flamewire_ledger.api.parts import Offer
from flamewire_ledger.domain.ownership import OwnershipChallengeIssued, message_of
from tests.api.wallets import WALLETS, Wallet, ethereum, substrate, sui
from tests.api.world import World, world

CHALLENGES = "/v1/ownership/challenges"
ids = [f"{it.network}-{it.scheme}-{it.kind}" for it in WALLETS]


async def account(ledger: World, **options: Any) -> str:
    made = await ledger.post("/v1/credit_accounts", {}, **options)
    found: str = made.json()["id"]
    return found


async def challenge(ledger: World, wallet: Wallet, **changed: Any) -> dict[str, Any]:
    """A challenge for a wallet, for a new credit account unless something else is said."""
    body = {
        "network": wallet.network,
        "address": wallet.address,
        "purpose": "refund",
        "kind": wallet.kind,
        **changed,
    }
    if not body.keys() & {"payment_intent_id", "credit_account_id"}:
        body["credit_account_id"] = await account(ledger)
    answer = await ledger.post(CHALLENGES, body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def prove(
    ledger: World, challenge_id: str, signature: str, *, once: str | None = "", **more: Any
) -> httpx.Response:
    key = more.pop("key", None)
    body = {"signature": signature, **more}
    return await ledger.post(f"{CHALLENGES}/{challenge_id}/proof", body, once=once, key=key)


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body


@pytest.mark.parametrize("wallet", WALLETS, ids=ids)
async def test_a_wallet_of_any_chain_registers_its_address(door: World, wallet: Wallet):
    asked = await challenge(door, wallet)
    assert wallet.address in asked["message"]
    assert asked["kind"] == wallet.kind
    answer = await prove(door, asked["id"], wallet.sign(asked["message"]))
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["id"] == asked["id"]
    assert shown["object"] == "registered_address"
    assert shown["status"] == "registered"
    assert (shown["address"], shown["scheme"]) == (wallet.address, wallet.scheme)
    assert shown["account"] == f"sandbox:{wallet.network}:{wallet.address}"
    assert (await door.types())[1:] == [
        "ownership.challenge_issued.v1",
        "ownership.address_registered.v1",
    ]


async def test_a_challenge_says_who_asks_and_when_and_what_for(door: World):
    order = {"amount": "25.00", "currency": "USD"}
    payment = (await door.post("/v1/payment_intents", order)).json()["id"]
    wallet = ethereum()
    one = await challenge(door, wallet, payment_intent_id=payment)
    assert one["payment_intent_id"] == payment
    assert one["credit_account_id"] is None
    assert one["created_at"] == "2026-01-31T12:00:00Z"
    assert one["expires_at"] == "2026-01-31T12:15:00Z"
    assert one["message"].splitlines()[:2] == [
        "localhost asks you to prove that this ethereum account is yours:",
        wallet.address,
    ]
    assert f"payment intent {payment}" in one["message"]
    other = await challenge(door, wallet, payment_intent_id=payment)
    assert other["message"] != one["message"]
    (recorded,) = [door.codec.decode(it) for it in await door.events() if it.stream_id == one["id"]]
    assert isinstance(recorded, OwnershipChallengeIssued)
    assert message_of(recorded) == one["message"]
    assert len(recorded.nonce) == 32


async def test_the_domain_and_the_time_are_the_operators_to_choose():
    async with world(offer=Offer(challenge_domain="pay.example", challenge_seconds=60)) as ledger:
        asked = await challenge(ledger, ethereum())
        assert asked["message"].startswith("pay.example asks ")
        assert asked["expires_at"] == "2026-01-31T12:01:00Z"


async def test_an_address_is_taken_in_any_spelling_and_shown_in_one(door: World):
    wallet = ethereum()
    for address in (
        wallet.address.lower(),
        f"sandbox:ethereum:{wallet.address}",
    ):
        asked = await challenge(door, replace(wallet, address=address))
        assert asked["address"] == wallet.address
        assert (await prove(door, asked["id"], wallet.sign(asked["message"]))).status_code == 200


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"network": "solana"}, "/network", "unknown_network"),
        ({"network": "eip155:1"}, "/network", "unknown_network"),
        ({"address": "0x12"}, "/address", "invalid_address"),
        ({"address": ethereum().address.swapcase().replace("0X", "0x")}, "/address", "invalid_address"),
        ({"address": sui("ed25519").address}, "/address", "invalid_address"),
        ({"address": f"eip155:1:{ethereum().address}"}, "/address", "invalid_address"),
        ({"address": "x" * 257}, "/address", "malformed"),
        ({"address": ethereum().address + "\n"}, "/address", "invalid_address"),
        ({"purpose": "gift"}, "/purpose", "malformed"),
        ({"kind": "transaction"}, "/kind", "malformed"),
        ({"credit_account_id": None}, "", "malformed"),
        ({"payment_intent_id": "pi_01kg9ys7g0ev9sbv73a4ec6efj"}, "", "malformed"),
        ({"message": "mine"}, "/message", "malformed"),
        ({"nonce": "12345678"}, "/nonce", "malformed"),
    ],
)  # fmt: skip
async def test_what_no_challenge_can_be_made_of_is_a_422(
    door: World, changed: dict[str, Any], pointer: str, code: str
):
    body = {
        "network": "ethereum",
        "address": ethereum().address,
        "purpose": "sender",
        "credit_account_id": await account(door),
    }
    answer = await door.post(CHALLENGES, body | changed)
    assert refused(answer, 422, code)["errors"][0]["pointer"] == pointer
    assert await door.types() == ["credit_account.opened.v1"]


async def test_a_challenge_is_for_what_the_merchant_has(door: World):
    stranger = door.key(await door.merchant("other"))
    theirs = await account(door)
    body = {"network": "ethereum", "address": ethereum().address, "purpose": "sender"}
    for named in ({"credit_account_id": theirs}, {"payment_intent_id": "pi_" + "0" * 26}):
        answer = await door.post(CHALLENGES, body | named, key=stranger)
        refused(answer, 404, "not_found")


async def test_a_signature_proves_once(door: World):
    wallet = sui("ed25519")
    asked = await challenge(door, wallet)
    signature = wallet.sign(asked["message"])
    first = await prove(door, asked["id"], signature, once="proof")
    again = await prove(door, asked["id"], signature, once="proof")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    refused(await prove(door, asked["id"], signature), 409, "challenge_used")
    refused(await prove(door, asked["id"], signature, once=None), 409, "challenge_used")
    refused(
        await prove(door, asked["id"], signature, scheme="ed25519", once="proof"),
        422,
        "idempotency_key_reused",
    )
    door.clock.turn(days=1)
    assert (await prove(door, asked["id"], signature, once="proof")).json() == first.json()
    assert (await door.types()).count("ownership.address_registered.v1") == 1


async def test_of_proofs_at_one_moment_one_counts(door: World):
    wallet = ethereum()
    asked = await challenge(door, wallet)
    signature = wallet.sign(asked["message"])
    answers = await asyncio.gather(*(prove(door, asked["id"], signature) for _ in range(5)))
    assert sorted(it.status_code for it in answers) == [200, 409, 409, 409, 409]
    assert (await door.types()).count("ownership.address_registered.v1") == 1


async def test_the_same_signature_in_another_spelling_proves_nothing_more(door: World):
    """v as 0 or 27, r ‖ s ‖ v or compact: all valid, and one proof."""
    wallet = ethereum()
    asked = await challenge(door, wallet)
    signature = wallet.sign(asked["message"])
    low = signature[:-2] + f"{int(signature[-2:], 16) - 27:02x}"
    assert (await prove(door, asked["id"], signature)).status_code == 200
    refused(await prove(door, asked["id"], low), 409, "challenge_used")


async def test_a_proof_is_of_one_challenge(door: World):
    """Neither another one for the same address, nor for another purpose, nor of another merchant."""
    wallet = substrate("sr25519")
    to = await account(door)
    one = await challenge(door, wallet, credit_account_id=to)
    signature = wallet.sign(one["message"])
    for changed in ({}, {"purpose": "sender"}):
        other = await challenge(door, wallet, credit_account_id=to, **changed)
        body = refused(await prove(door, other["id"], signature), 422, "proof_invalid")
        assert body["reason"] == "signature_mismatch"
    stranger = door.key(await door.merchant("other"))
    refused(await prove(door, one["id"], signature, key=stranger), 404, "not_found")
    assert (await prove(door, one["id"], signature)).status_code == 200


async def test_another_wallet_proves_nothing(door: World):
    for mine, other in (
        (ethereum(), ethereum("two")),
        (substrate("sr25519"), substrate("sr25519", label="two")),
        (sui("ed25519"), sui("ed25519", label="two")),
    ):
        asked = await challenge(door, mine)
        body = refused(
            await prove(door, asked["id"], other.sign(asked["message"])), 422, "proof_invalid"
        )
        assert body["reason"] in ("signer_differs", "signature_mismatch")
        assert body["errors"][0]["pointer"] == "/signature"
        # Nothing is lost by that: who it belongs to proves it still.
        assert (await prove(door, asked["id"], mine.sign(asked["message"]))).status_code == 200


@pytest.mark.parametrize("scheme", ["sr25519", "ed25519", "ecdsa"])
async def test_on_substrate_the_form_that_was_chosen_is_the_one_that_counts(
    door: World, scheme: str
):
    wrapping, plain = substrate(scheme), substrate(scheme, "message")
    asked = await challenge(door, wrapping)
    body = refused(
        await prove(door, asked["id"], plain.sign(asked["message"])), 422, "proof_invalid"
    )
    assert body["reason"] == "not_wrapped"
    asked = await challenge(door, plain)
    body = refused(
        await prove(door, asked["id"], wrapping.sign(asked["message"])), 422, "proof_invalid"
    )
    assert body["reason"] == "wrapped_unasked"


@pytest.mark.parametrize(
    ("signature", "more", "reason"),
    [
        ("", {}, "signature_malformed"),
        ("0x", {}, "signature_wrong_length"),
        ("0x" + "00" * 65, {}, "r_out_of_range"),
        ("0x" + "01" * 64, {}, "signer_differs"),
        ("ab" * 65, {}, "signature_malformed"),
        ("0x" + "ab" * 20_000, {}, "signature_too_long"),
        ("0x" + "01" * 65, {"scheme": "bls"}, "scheme_unsupported"),
        (base64.b64encode(b"\1" * 65).decode(), {}, "signature_malformed"),
    ],
)
async def test_what_is_no_signature_is_told_apart(
    door: World, signature: str, more: dict[str, Any], reason: str
):
    asked = await challenge(door, ethereum())
    answer = await prove(door, asked["id"], signature, **more)
    assert refused(answer, 422, "proof_invalid")["reason"] == reason
    assert "ownership.address_registered.v1" not in await door.types()


async def test_the_twin_of_a_signature_proves_nothing(door: World):
    """The other s: what anybody can make of a signature is not a second one."""
    wallet = ethereum()
    asked = await challenge(door, wallet)
    signature = bytes.fromhex(wallet.sign(asked["message"])[2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    twin = signature[:32] + high + bytes([55 - signature[64]])
    answer = await prove(door, asked["id"], "0x" + twin.hex())
    assert refused(answer, 422, "proof_invalid")["reason"] == "s_too_high"


async def test_owners_of_a_wallet_are_not_taken_from_who_claims_it(door: World):
    """Whoever named the owners could own every Safe there is: the contract would be asked, and there is
    no node here.
    """
    wallet = ethereum()
    asked = await challenge(door, replace(wallet, address=ethereum("two").address))
    signature = wallet.sign(asked["message"])
    owners = {"addresses": [wallet.address], "threshold": 1}
    refused(
        await prove(door, asked["id"], signature, scheme="safe", owners=owners), 422, "malformed"
    )
    for scheme in ("safe", "eip1271"):
        answer = await prove(door, asked["id"], signature, scheme=scheme)
        assert refused(answer, 422, "malformed")["errors"][0]["pointer"] == "/scheme"


async def test_a_challenge_is_met_before_the_sandbox_clock_says_it_is_too_late(door: World):
    wallet = ethereum()
    late, in_time = await challenge(door, wallet), await challenge(door, wallet)
    await door.post("/v1/sandbox/clock", {"advance_seconds": 899})
    answer = await prove(door, in_time["id"], wallet.sign(in_time["message"]))
    assert answer.status_code == 200
    assert answer.json()["registered_at"] == "2026-01-31T12:14:59Z"
    await door.post("/v1/sandbox/clock", {"advance_seconds": 1})
    refused(await prove(door, late["id"], wallet.sign(late["message"])), 409, "challenge_expired")


async def test_a_challenge_that_is_not_there_is_met_by_nobody(door: World):
    for challenge_id in ("own_" + "0" * 26, "pi_" + "0" * 26, "x"):
        refused(await prove(door, challenge_id, "0x"), 404, "not_found")
        answer = await door.post(f"/v1/ownership/addresses/{challenge_id}/revoke")
        refused(answer, 404, "not_found")


async def test_an_address_is_revoked_once_and_stays_so(door: World):
    wallet = sui("secp256r1")
    asked = await challenge(door, wallet)
    path = f"/v1/ownership/addresses/{asked['id']}/revoke"
    refused(await door.post(path), 409, "not_allowed")
    signature = wallet.sign(asked["message"])
    await prove(door, asked["id"], signature)
    stranger = door.key(await door.merchant("other"))
    refused(await door.post(path, key=stranger), 404, "not_found")
    revoked = await door.post(path)
    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    assert revoked.json()["revoked_at"] == "2026-01-31T12:00:00Z"
    door.clock.turn(hours=1)
    again = await door.post(path)
    assert again.json()["revoked_at"] == revoked.json()["revoked_at"]
    refused(await prove(door, asked["id"], signature), 409, "challenge_used")
    assert (await door.types()).count("ownership.address_revoked.v1") == 1


async def test_who_takes_payments_does_not_by_that_say_where_refunds_go(door: World):
    key = door.key(door.merchant_id, "payments:write", "credits:write")
    asked = await challenge(door, ethereum())
    answer = await prove(door, asked["id"], "0x", key=key)
    refused(answer, 403, "insufficient_scope")
    reader = door.key(door.merchant_id, "ownership:read")
    refused(await prove(door, asked["id"], "0x", key=reader), 403, "insufficient_scope")


async def test_the_proof_is_kept_and_can_be_verified_again(door: World):
    wallet = substrate("ed25519")
    asked = await challenge(door, wallet)
    signature = wallet.sign(asked["message"])
    await prove(door, asked["id"], signature)
    issued, registered = [
        door.codec.decode(it) for it in await door.events() if it.stream_id == asked["id"]
    ]
    body = {
        "network": issued.chain_id,
        "address": registered.address,
        "kind": issued.kind,
        "message": message_of(issued),
        "signature": registered.signature,
        "scheme": registered.scheme,
    }
    assert (await door.post("/v1/signatures/verify", body, once=None)).json()["valid"]
