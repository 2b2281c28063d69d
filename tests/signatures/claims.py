"""Statements as people write them, and their verdicts, for every test of signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flamewire_ledger.chains.accounts import find_realm
from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.signatures.evm.contract import Node
from flamewire_ledger.signatures.evm.family import EvmFamily
from flamewire_ledger.signatures.scheme import Claim, Family, Kind, Scheme
from flamewire_ledger.signatures.verifier import Statement, Verdict, Verifier, WrittenMembers
from flamewire_ledger.wiring.signatures import verifier

VECTORS: Final = Path(__file__).parents[1] / "vectors"
OFFLINE: Final = verifier({})


def vectors(name: str) -> dict[str, Any]:
    """One file of tests/vectors."""
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def statement(
    network: str,
    address: str,
    signature: str,
    message: bytes = b"",
    *,
    kind: Kind = "message",
    scheme: str | None = None,
    typed_data: Mapping[str, Any] | None = None,
    members: WrittenMembers | None = None,
) -> Statement:
    realm = find_realm((), network)
    return Statement(
        family=realm.family,
        read_account=realm.account,
        address=address,
        kind=kind,
        message=message,
        signature=signature,
        scheme=scheme,
        typed_data=typed_data,
        evm_chain_id=realm.evm_chain_id,
        members=members,
    )


def verdict(claimed: Statement, by: Verifier = OFFLINE) -> Verdict:
    """Nothing is waited for where no node is asked, so no event loop is needed."""
    verifying = by.verify(claimed)
    try:
        verifying.send(None)
    except StopIteration as done:
        found: Verdict = done.value
        return found
    raise AssertionError("this verdict waits for somebody: await it")


def scheme_and_claim(claimed: Statement) -> tuple[Scheme, Claim]:
    """The scheme of a statement, and the bytes that it is given: what is left when texts are read."""
    taken: list[tuple[Scheme, Claim]] = []

    @dataclass
    class Catching:
        scheme: Scheme

        async def verify(self, claim: Claim) -> None:
            taken.append((self.scheme, claim))

    @dataclass
    class Caught:
        family: Family

        @property
        def schemes(self) -> Mapping[str, Scheme]:
            return {name: Catching(scheme) for name, scheme in self.family.schemes.items()}

        def read_signature(self, text: str, kind: Kind) -> bytes:
            return self.family.read_signature(text, kind)

        def scheme_of(self, signature: bytes) -> str:
            return self.family.scheme_of(signature)

    verdict(claimed, Verifier(lambda name: Caught(OFFLINE.family(name))))
    (found,) = taken
    return found


def with_nodes(nodes: Mapping[int, Node]) -> Verifier:
    """A verifier of EVM signatures that asks these nodes."""
    family = EvmFamily(find_realm((), "ethereum").account, nodes)
    return Verifier(lambda _: family)


def ethereum_statement(vector: Mapping[str, Any], network: str = "ethereum") -> Statement:
    """An entry of ethereum.json: a message, typed data, or a transaction that brings its signature."""
    address = vector["address"]
    match vector["kind"]:
        case "eip191":
            message = unhex(vector["message_hex"])
            return statement(network, address, vector["signature"], message)
        case "eip712":
            return statement(
                network, address, vector["signature"], kind="typed_data", typed_data=vector["typed"]
            )
        case _:
            return statement(network, address, "", unhex(vector["raw"]), kind="transaction")


def substrate_statement(vector: Mapping[str, Any]) -> Statement:
    """An entry of substrate.json. The key it names is the one that is asked about."""
    address = ss58_address(unhex(vector["public_key_hex"]), 42)
    return statement(
        "bittensor",
        address,
        vector["signature_hex"],
        unhex(vector["message_hex"]),
        scheme=vector["scheme"],
    )


def sui_statement(vector: Mapping[str, Any]) -> Statement:
    """An entry of sui.json."""
    message = base64.b64decode(vector["message_b64"])
    signature = vector["signature_b64"]
    return statement("sui", vector["address"], signature, message, kind=vector["kind"])


def generated_statement(vector: Mapping[str, Any]) -> Statement:
    """An entry of generated.json."""
    if "message_base64" in vector:
        message = base64.b64decode(vector["message_base64"])
    else:
        message = unhex(vector.get("message_hex", ""))
    owners = vector.get("owners")
    return statement(
        vector.get("chain_id", vector["network"]),
        vector["address"],
        vector["signature"],
        message,
        kind=vector["kind"],
        scheme=vector["scheme"],
        typed_data=vector.get("typed"),
        members=owners and WrittenMembers(tuple(owners["addresses"]), owners["threshold"]),
    )
