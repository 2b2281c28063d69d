"""Recipients: addresses of merchants' own to be paid at. One address serves one payment intent, for
ever.

A transfer says where it went and nothing else. Two intents on one address could not be told apart,
neither at the same time nor one after the other (a late transfer to the first would pay the
second), and an address made here for one intent would let its payer pay two. So an address is
claimed, atomically and across merchants, by a command id made of it: for all networks of its
namespace, because on every EVM network it is the same address.
"""

from __future__ import annotations

from flamewire_ledger.api.call import Call
from flamewire_ledger.api.reading import head_reached
from flamewire_ledger.api.submitting import concluded
from flamewire_ledger.chains.addresses import is_zero
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.rejection import (
    IdempotencyKeyReused,
    InvalidAddress,
    Malformed,
    NotAllowed,
)

POINTER = "/recipient"
_OWNER = "recipients"  # claims of all merchants are in one partition: that of this name


def check(chains: list[Chain], text: str) -> str:
    """The canonical spelling of an address on the one network it is for."""
    if len(chains) != 1:
        raise Malformed("an address is on one network: say which with `network`", pointer=POINTER)
    try:
        spelled = chains[0].canonical_address(text)
    except InvalidAddress as error:
        raise InvalidAddress(error.detail, pointer=POINTER) from None
    if is_zero(spelled):
        raise InvalidAddress("nobody has the key of this address: it is zero", pointer=POINTER)
    return spelled


async def claim(call: Call, chain: Chain, address: str) -> None:
    """Make the address this request's own, again and again; NotAllowed when it is another's."""
    await _refuse_ours(call, chain, address)
    origin = Origin(
        command_id=command_id("recipient", _namespace(chain), address),
        merchant_id=_OWNER,
        actor=call.caller.actor,
        fingerprint=call.command_id.bytes,
        correlation_id=call.request_id,
    )
    envelope = origin.envelope((), lambda _: {}, lambda _: b"{}")
    outcome = await call.parts.writer.submit(envelope)
    if isinstance(outcome, IdempotencyKeyReused):
        raise _taken()
    if not isinstance(outcome, Done):
        concluded(call, outcome)


async def _refuse_ours(call: Call, chain: Chain, address: str) -> None:
    """An address made here for somebody's payment is nobody's to give."""
    await head_reached(call, "deposit_addresses")
    for each in call.chains:
        if _namespace(each) != _namespace(chain):
            continue
        if each.network.identifies_by != "address" and each.deposit(0).address == address:
            raise _taken()
        rows = await call.parts.reads.deposits_at(each.network.name, [address])
        if any(row["derivation"] is not None for row in rows):
            raise _taken()


def _namespace(chain: Chain) -> str:
    """CAIP-2: networks of one namespace have the same addresses, and payers mix them up."""
    return chain.network.chain_id.partition(":")[0]


def _taken() -> NotAllowed:
    return NotAllowed(
        "this address belongs to another payment intent: give a new one for each", pointer=POINTER
    )
