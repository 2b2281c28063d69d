"""Amounts that tell payments apart: on an address of many, no two open payments ask for the same
units of an asset.

Each deposit adds some units of its own to what is due. Where that makes an amount another payment
has, the next one is tried. An amount is claimed as recipients are, by a command id made of it; the
claim holds for the period it is made in and the one behind it, so that what comes late is still
told apart, and a shop that asks for the same amount every day does not run out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from flamewire_ledger.api.call import Call
from flamewire_ledger.api.submitting import unless_refused
from flamewire_ledger.chains.chain import Chain, Deposit
from flamewire_ledger.commands.decider import Envelope, Failed
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, LimitReached

TRIES_MAX: Final = 20
PERIOD: Final = timedelta(days=30)
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_OWNER: Final = "shared amounts"  # claims of all merchants are in one partition: that of this name


async def deposit(call: Call, chain: Chain, dues: Sequence[Amount]) -> Deposit:
    """A deposit whose amounts are this request's own. Raises LimitReached when none was found."""
    for _ in range(TRIES_MAX):
        index = await call.parts.deposit_indexes.take(chain.network.chain_id)
        found = chain.deposit(index)
        if await _claim(call, chain, found, dues):
            return found
    raise LimitReached(
        f"too many payments of this amount are open on {chain.network.name}: ask for another "
        "amount, or on another network",
        pointer="/amount",
    )


async def _claim(call: Call, chain: Chain, found: Deposit, dues: Sequence[Amount]) -> bool:
    """Whether all the amounts are this request's own. What was claimed in vain lapses unused."""
    period = (call.now() - _EPOCH) // PERIOD
    envelopes = [
        _envelope(call, chain, found, due, claimed)
        for due in dues
        for claimed in (period, period + 1)
    ]
    outcomes = await call.parts.writer.submit_many(envelopes)
    if any(isinstance(outcome, IdempotencyKeyReused) for outcome in outcomes):
        return False
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
        unless_refused(outcome)
    return True


def _envelope(call: Call, chain: Chain, found: Deposit, due: Amount, period: int) -> Envelope:
    units = str(due.units + found.adds_units)
    name = (chain.network.chain_id, found.address, due.asset.code, units, str(period))
    origin = Origin(
        command_id=command_id("amount", *name),
        merchant_id=_OWNER,
        actor=call.caller.actor,
        fingerprint=call.command_id.bytes,
        correlation_id=call.request_id,
    )
    return origin.envelope((), lambda _: {}, lambda _: b"{}")
