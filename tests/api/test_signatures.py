"""Signatures over HTTP: a verdict of three parts whatever is claimed, and a 422 for what claims nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.api.world import World
from tests.signatures.claims import vectors

ETHEREUM, SUBSTRATE, SUI = vectors("ethereum"), vectors("substrate"), vectors("sui")
HELLO = ETHEREUM["vectors"][0]
PATH = "/v1/signatures/verify"


def by_id(file: dict[str, Any], wanted: str) -> dict[str, Any]:
    return next(it for it in file["vectors"] if it["id"] == wanted)


def hello(**changed: Any) -> dict[str, Any]:
    asked = {
        "network": "ethereum",
        "address": HELLO["address"],
        "kind": "message",
        "message": "hello",
        "signature": HELLO["signature"],
    }
    return {name: value for name, value in {**asked, **changed}.items() if value is not None}


async def verdict(ledger: World, body: Any) -> dict[str, Any]:
    answer = await ledger.post(PATH, body, once=None)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"valid", "reason", "scheme"}
    assert found["valid"] == (found["reason"] is None)
    return found


def of_ethereum(vector: dict[str, Any]) -> dict[str, Any]:
    body = {"network": "ethereum", "address": vector["address"]}
    match vector["kind"]:
        case "eip191":
            return body | {
                "kind": "personal_message",
                "message_hex": vector["message_hex"],
                "signature": vector["signature"],
            }
        case "eip712":
            return body | {
                "kind": "typed_data",
                "message": json.dumps(vector["typed"]),
                "signature": vector["signature"],
            }
        case _:
            return body | {"kind": "transaction", "message_hex": vector["raw"], "signature": ""}


def of_substrate(vector: dict[str, Any]) -> dict[str, Any]:
    return {
        "network": "polkadot:2f0555cc76fc2840a25a6ea3b9637146",
        "address": vector["address"],
        "kind": "message",
        "message_hex": vector["message_hex"],
        "signature": vector["signature_hex"],
        "scheme": vector["scheme"],
    }


def of_sui(vector: dict[str, Any]) -> dict[str, Any]:
    return {
        "network": "sui",
        "address": vector["address"],
        "kind": vector["kind"],
        "message_base64": vector["message_b64"],
        "signature": vector["signature_b64"],
    }


async def test_every_vector_gets_its_verdict(door: World):
    for file, body_of in ((ETHEREUM, of_ethereum), (SUBSTRATE, of_substrate), (SUI, of_sui)):
        for vector in file["vectors"]:
            if vector["note"] == "wrong key":
                continue  # its address is that of the right one
            found = await verdict(door, body_of(vector))
            assert found["valid"] == vector["valid"], (vector["id"], found)
            assert found["scheme"] == vector["scheme"]


async def test_typed_data_may_be_an_object(door: World):
    vector = by_id(ETHEREUM, "eth-046")
    body = of_ethereum(vector) | {"message": vector["typed"]}
    assert (await verdict(door, body))["valid"]
    assert (await verdict(door, body | {"network": "eip155:5"}))["reason"] == "other_chain"
    body["message"] = vector["typed"] | {"extra": 1}
    assert (await verdict(door, body))["reason"] == "typed_data_malformed"


async def test_a_sandbox_network_is_known_by_its_name_and_its_id(door: World):
    for network in ("ethereum", "sandbox:ethereum", "eip155:1", "eip155:8453"):
        assert (await verdict(door, hello(network=network)))["valid"]


async def test_an_address_may_be_a_caip_10_account(door: World):
    account = f"eip155:1:{HELLO['address']}"
    assert (await verdict(door, hello(address=account)))["valid"]
    assert (await verdict(door, hello(address=account, network="eip155:1")))["valid"]
    elsewhere = await verdict(door, hello(address=account, network="eip155:5"))
    assert elsewhere["reason"] == "address_elsewhere"
    assert (await verdict(door, hello(address=account, network="sui")))["reason"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"address": HELLO["address"].swapcase().replace("0X", "0x")}, "address_malformed"),
        ({"address": HELLO["address"][2:]}, "address_malformed"),
        ({"address": HELLO["address"] + " "}, "address_malformed"),
        ({"address": "x" * 300_000}, "address_malformed"),
        ({"address": ""}, "address_malformed"),
        ({"signature": HELLO["signature"][2:]}, "signature_malformed"),
        ({"signature": HELLO["signature"] + "0"}, "signature_malformed"),
        ({"signature": " " + HELLO["signature"]}, "signature_malformed"),
        ({"signature": ""}, "signature_malformed"),
        ({"signature": "0x"}, "signature_wrong_length"),
        ({"signature": "0x" + "ab" * 1_000_000}, "signature_too_long"),
        ({"scheme": "bls"}, "scheme_unsupported"),
        ({"message": "x" * 1_000_000}, "message_too_long"),
        ({"message": None, "message_hex": "0x" + "61" * 1_000_000}, "message_too_long"),
        ({"kind": "typed_data"}, "typed_data_malformed"),
        ({"kind": "typed_data", "message": "[" * 100_000}, "typed_data_malformed"),
        ({"kind": "transaction"}, "transaction_malformed"),
        ({"network": "bittensor"}, "address_malformed"),
        ({"network": "sui"}, "address_malformed"),
        ({"message": "hellp"}, "signer_differs"),
    ],
)
async def test_what_is_wrong_is_named(door: World, changed: dict[str, Any], reason: str):
    assert (await verdict(door, hello(**changed)))["reason"] == reason


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"message": 1}, "/message"),
        ({"message": [{}]}, "/message"),
        ({"network": "solana"}, "/network"),
        ({"network": "polkadot:91b171bb158e2d3848fa23a9f1c25182"}, "/network"),
        ({"kind": "poem"}, "/kind"),
        ({"message": None}, ""),
        ({"message_hex": "0x00"}, ""),
        ({"message": None, "message_hex": "68656c6c6f"}, "/message_hex"),
        ({"message": None, "message_base64": "aGVs bG8="}, "/message_base64"),
        ({"message": None, "message_base64": "aGVsbG9="}, "/message_base64"),
        ({"message": {"types": {}}}, "/message"),
        ({"surprise": 1}, "/surprise"),
        ({"owners": {"addresses": [], "threshold": 1}}, "/owners/addresses"),
    ],
)
async def test_what_claims_nothing_is_a_422(door: World, changed: dict[str, Any], pointer: str):
    answer = await door.post(PATH, hello(**changed), once=None)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_contract_that_nobody_can_ask_is_no_verdict(door: World):
    for scheme in ("eip1271", "safe"):
        answer = await door.post(PATH, hello(scheme=scheme, network="eip155:1"), once=None)
        assert answer.status_code == 422
        assert "node" in answer.json()["detail"]


async def test_bytes_that_are_no_text_are_signed_like_any(door: World):
    sent = base64.b64encode(b"\xff\xfe").decode()
    found = await verdict(door, hello(message=None, message_base64=sent))
    assert found == {"valid": False, "reason": "signer_differs", "scheme": "secp256k1"}


async def test_a_body_that_is_longer_than_any_message_is_refused_as_such(door: World):
    answer = await door.post(PATH, hello(message="x" * 5_000_000), once=None)
    assert answer.status_code == 413
    elsewhere = await door.post("/v1/tools/detect", {"value": "x" * 2_000_000}, once=None)
    assert elsewhere.status_code == 413


async def test_it_needs_a_key_of_any_scope_and_records_nothing(door: World):
    key = door.key(door.merchant_id, "prices:read")
    assert (await door.post(PATH, hello(), key=key, once=None)).status_code == 200
    assert (await door.client.post(PATH, json=hello())).status_code == 401
    assert await door.types() == []
