"""Signatures: whether an address signed something. A verdict is an answer; only a request that cannot
be understood, or a node that is missing, is a problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.signatures import VerifySignature
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.chains.accounts import locate
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.rejection import InvalidAddress, Malformed
from flamewire_ledger.signatures.scheme import MESSAGE_BYTES_MAX, Reason, Unverifiable
from flamewire_ledger.signatures.text import read_base64, read_hex
from flamewire_ledger.signatures.verifier import Statement, Verdict, Verifier, WrittenMembers

# Room for a megabyte in hexadecimal digits, so that it can be said that this is too long.
BODY_BYTES_MAX: Final = 5 * 512 * 1024


async def verify(call: Call) -> Answer:
    return Answer(to_json(rendered(await verdict_on(call, call.body))))


async def verdict_on(call: Call, body: VerifySignature, pointer: str = "/network") -> Verdict:
    """The verdict on what is claimed; a problem where a node is missing, or does not answer. `pointer`
    is what asked for a node.
    """
    try:
        return await judge(body, call.chains, call.parts.signatures)
    except Unverifiable as error:
        if error.is_passing:
            raise problems.node_unavailable(str(error)) from None
        raise Malformed(str(error), pointer=pointer) from None


def rendered(verdict: Verdict) -> dict[str, Any]:
    """The verdict as it is published."""
    return {"valid": verdict.is_valid, "reason": verdict.reason, "scheme": verdict.scheme}


async def judge(body: VerifySignature, chains: Sequence[Chain], verifier: Verifier) -> Verdict:
    """The verdict on what a request claims. Raises Unverifiable, and Malformed or UnknownNetwork where
    nothing is claimed that could be true or false.
    """
    message, typed_data = _message(body)
    try:
        realm, address = locate(chains, body.network, body.address)
    except InvalidAddress:
        is_caip_10 = ":" in body.address
        reason = Reason.ADDRESS_ELSEWHERE if is_caip_10 else Reason.ADDRESS_MALFORMED
        return Verdict(reason, None)
    owners = body.owners
    members = None if owners is None else WrittenMembers(tuple(owners.addresses), owners.threshold)
    return await verifier.verify(
        Statement(
            family=realm.family,
            read_account=realm.account,
            address=address,
            kind=body.kind,
            message=message,
            signature=body.signature,
            scheme=body.scheme,
            typed_data=typed_data,
            evm_chain_id=realm.evm_chain_id,
            members=members,
        )
    )


def _message(body: VerifySignature) -> tuple[bytes, Mapping[str, Any] | None]:
    """The bytes that were signed, or the typed data. Raises Malformed."""
    if isinstance(body.message, dict):
        if body.kind != "typed_data":
            raise Malformed("only typed data are an object", pointer="/message")
        return b"", body.message
    if body.message is not None:
        data = _decoded(str.encode, body.message, "/message", "text: give its bytes instead")
    elif body.message_hex is not None:
        data = _decoded(read_hex, body.message_hex, "/message_hex", "0x and hexadecimal digits")
    else:
        data = _decoded(read_base64, body.message_base64 or "", "/message_base64", "padded base64")
    if body.kind == "typed_data" and len(data) <= MESSAGE_BYTES_MAX:
        return b"", _document(data)
    return data, None


def _decoded(read: Any, text: str, pointer: str, wanted: str) -> bytes:
    try:
        data: bytes = read(text)
    except ValueError:
        raise Malformed(f"this is not {wanted}", pointer=pointer) from None
    return data


def _document(data: bytes) -> Mapping[str, Any]:
    """Typed data that came as a text. What is no object at all is one without any of its parts."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
