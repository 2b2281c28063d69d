"""Proof of ownership: a payer signs a challenge, and by that registers an address of theirs.

The text that has to have been signed is made anew from what is recorded; of the request only the
signature is taken. A challenge is met once: a signature that comes again proves nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_chain
from flamewire_ledger.api.models.ownership import (
    CreateOwnershipChallenge,
    ListRegisteredAddresses,
    ProveOwnership,
)
from flamewire_ledger.api.models.signatures import VerifySignature
from flamewire_ledger.api.reading import Row, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.signatures import verdict_on
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.api.submitting import submit
from flamewire_ledger.chains.chain import Network
from flamewire_ledger.commands import ownership as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.ownership import (
    IssueOwnershipChallenge,
    Ownership,
    OwnershipChallengeIssued,
    RegisterOwnedAddress,
    RevokeOwnedAddress,
    message_of,
    open_challenge,
)
from flamewire_ledger.domain.rejection import InvalidAddress, ProofInvalid
from flamewire_ledger.queries import ownership as queries

READ_MODEL: Final = "ownership"
PREFIX: Final = "own"
_NONCE_BYTES: Final = 16


async def issue(call: Call) -> Answer:
    return await submit(call, _issue)


async def _issue(call: Call) -> Envelope:
    body: CreateOwnershipChallenge = call.body
    network, address = _place(call, body.network, body.address)
    if body.payment_intent_id is not None:
        await own(call, "pi", body.payment_intent_id, "/payment_intent_id")
    if body.credit_account_id is not None:
        await own(call, "ca", body.credit_account_id, "/credit_account_id")
    now, offer = call.now(), call.parts.offer
    command = IssueOwnershipChallenge(
        ownership_id=derived_id(PREFIX, now, str(call.command_id)),
        purpose=body.purpose,
        payment_id=body.payment_intent_id,
        account_id=body.credit_account_id,
        network=network.name,
        chain_id=network.chain_id,
        address=address,
        kind=body.kind,
        domain=offer.challenge_domain,
        nonce=call.parts.entropy(_NONCE_BYTES).hex(),
        at=now,
        expires_at=now + timedelta(seconds=offer.challenge_seconds),
    )
    livemode = call.caller.livemode
    return commands.envelope(
        call.origin,
        command,
        lambda it: to_json(_challenge(it.after[command.ownership_id].issued, livemode)),
    )


def _place(call: Call, network: str, address: str) -> tuple[Network, str]:
    """A network of the caller's mode, and the one spelling of an address on it."""
    chain = find_chain(call.chains, network, "/network")
    chain_id, colon, alone = address.rpartition(":")  # CAIP-10 will do
    if colon and chain_id != chain.network.chain_id:
        raise InvalidAddress("the CAIP-10 account is of another chain", pointer="/address")
    try:
        return chain.network, chain.canonical_address(alone)
    except InvalidAddress as error:
        raise InvalidAddress(error.detail, pointer="/address") from None


async def prove(call: Call) -> Answer:
    return await submit(call, _prove)


async def _prove(call: Call) -> Envelope:
    body: ProveOwnership = call.body
    now = call.now()
    issued = open_challenge(await _ownership(call), now)
    scheme = await _proved(call, issued, body)
    command = RegisterOwnedAddress(issued.ownership_id, scheme, body.signature, now)
    return _on(call, command)


async def _proved(call: Call, issued: OwnershipChallengeIssued, body: ProveOwnership) -> str:
    """The scheme by which the address signed. Raises ProofInvalid.

    Owners of a wallet are never taken from whoever says that it is theirs: its contract is asked.
    """
    verdict = await verdict_on(
        call,
        VerifySignature(
            network=issued.chain_id,
            address=issued.address,
            kind=issued.kind,
            message=message_of(issued),
            signature=body.signature,
            scheme=body.scheme,
        ),
        pointer="/scheme",
    )
    if verdict.reason is not None:
        raise ProofInvalid(
            f"the challenge is not proved: {verdict.reason.sentence}",
            pointer="/signature",
            facts={"reason": verdict.reason.value},
        )
    assert verdict.scheme is not None, "what is valid is of a scheme"
    return verdict.scheme


async def revoke(call: Call) -> Answer:
    return await submit(call, _revoke)


async def _revoke(call: Call) -> Envelope:
    await own(call, PREFIX, call.path["id"])
    return _on(call, RevokeOwnedAddress(call.path["id"], call.now()))


async def _ownership(call: Call) -> Ownership | None:
    await own(call, PREFIX, call.path["id"])
    state: Ownership | None = None
    for event in await events_of(call, call.path["id"]):
        state = commands.OWNERSHIP.evolve(state, event)
    return state


def _on(call: Call, command: RegisterOwnedAddress | RevokeOwnedAddress) -> Envelope:
    livemode = call.caller.livemode
    return commands.envelope(
        call.origin,
        command,
        lambda it: to_json(_of_state(it.after[command.ownership_id], livemode)),
    )


async def get(call: Call) -> Answer:
    row = await find(
        call,
        "registered address",
        READ_MODEL,
        lambda: queries.address(call.parts.reads, call.merchant_id, call.path["id"]),
    )
    return Answer(to_json(_of_row(row, call.caller.livemode)))


async def list_all(call: Call) -> Answer:
    query: ListRegisteredAddresses = call.query
    chain_id, address = None, query.address
    if query.network is not None:
        chain_id = find_chain(call.chains, query.network, "/network").network.chain_id
        if address is not None:
            _, address = _place(call, query.network, address)
    elif address is not None:
        raise problems.wrong_parameter("address", "it is one of a network: say which")
    listing = await listed(
        call,
        READ_MODEL,
        lambda: queries.addresses(
            call.parts.reads,
            call.merchant_id,
            page_of(call),
            purpose=query.purpose,
            status=query.status,
            payment_id=query.payment_intent_id,
            account_id=query.credit_account_id,
            chain_id=chain_id,
            address=address,
        ),
        ids=PREFIX,
    )
    shown = [_of_row(row, call.caller.livemode) for row in listing.rows]
    return Answer(as_list(shown, has_more=listing.has_more))


def _challenge(issued: OwnershipChallengeIssued, livemode: bool) -> dict[str, Any]:
    return {
        "id": issued.ownership_id,
        "object": "ownership_challenge",
        "livemode": livemode,
        "purpose": issued.purpose,
        "payment_intent_id": issued.payment_id,
        "credit_account_id": issued.account_id,
        "network": issued.network,
        "chain_id": issued.chain_id,
        "address": issued.address,
        "account": f"{issued.chain_id}:{issued.address}",
        "kind": issued.kind,
        "message": message_of(issued),
        "created_at": time(issued.issued_at),
        "expires_at": time(issued.expires_at),
    }


def _of_state(ownership: Ownership, livemode: bool) -> dict[str, Any]:
    """The address right after it was registered or revoked."""
    fact = ownership.registered
    assert fact is not None, "both commands leave it registered"
    return _address(
        {
            "ownership_id": fact.ownership_id,
            "status": "registered" if ownership.revoked_at is None else "revoked",
            "purpose": fact.purpose,
            "payment_id": fact.payment_id,
            "account_id": fact.account_id,
            "network": fact.network,
            "chain_id": fact.chain_id,
            "address": fact.address,
            "scheme": fact.scheme,
        },
        livemode,
        fact.registered_at,
        ownership.revoked_at,
    )


def _of_row(row: Row, livemode: bool) -> dict[str, Any]:
    shown = _address(row, livemode, row["registered_at"], row["revoked_at"])
    return {**shown, "position": row["position"]}


def _address(
    row: Row, livemode: bool, registered_at: datetime, revoked_at: datetime | None
) -> dict[str, Any]:
    return {
        "id": row["ownership_id"],
        "object": "registered_address",
        "livemode": livemode,
        "status": row["status"],
        "purpose": row["purpose"],
        "payment_intent_id": row["payment_id"],
        "credit_account_id": row["account_id"],
        "network": row["network"],
        "chain_id": row["chain_id"],
        "address": row["address"],
        "account": f"{row['chain_id']}:{row['address']}",
        "scheme": row["scheme"],
        "registered_at": time(registered_at),
        "revoked_at": time(revoked_at),
    }
