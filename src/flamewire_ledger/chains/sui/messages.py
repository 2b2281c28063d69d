"""Messages of `sui.rpc.v2` as checkpoints of ours: every field that is used is looked at first.

A node can be mistaken, or hostile. What does not make sense raises Nonsense, whatever it is;
nothing here needs pysui, only objects with its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from flamewire_ledger.chains.addresses import parse_sui
from flamewire_ledger.chains.sui.transfers import NO_DIGEST, Change, Checkpoint, Executed
from flamewire_ledger.domain.rejection import InvalidAddress

_DIGEST: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\Z")  # 32 bytes in base58
_UNITS: Final = re.compile(r"-?[0-9]{1,39}\Z")  # a signed integer of 128 bits
_TYPE_MAX: Final = 65_536  # characters
_U64_MAX: Final = 2**64 - 1


class Nonsense(ValueError):
    """A message that no honest node would send. The sentence names the field."""


def summary_of(message: Any) -> Checkpoint:
    """A checkpoint without its transactions."""
    summary = message.summary
    if summary is None or summary.timestamp is None:
        raise Nonsense("it has no summary")
    return checkpoint(
        message.sequence_number, message.digest, summary.previous_digest, summary.timestamp
    )


def checkpoint_of(message: Any) -> Checkpoint:
    """A checkpoint with what its transactions did."""
    whole = summary_of(message)
    return Checkpoint(
        whole.height,
        whole.digest,
        whole.previous_digest,
        whole.at,
        [_executed(each) for each in message.transactions],
    )


def checkpoint(height: Any, digest: Any, previous: Any, at: datetime) -> Checkpoint:
    """The head of a checkpoint, checked. Raises Nonsense."""
    if type(height) is not int or not 0 <= height <= _U64_MAX:
        raise Nonsense("its sequence number is none")
    if not previous and height > 0:
        raise Nonsense("it names no checkpoint before it")
    before = digest_of(previous) if previous else NO_DIGEST
    return Checkpoint(height, digest_of(digest), before, at.astimezone(UTC))


def digest_of(text: Any) -> str:
    if not isinstance(text, str) or not _DIGEST.match(text):
        raise Nonsense("a digest is none")
    return text


def change(address: Any, coin_type: Any, units: Any) -> Change:
    """One balance change, checked. Raises Nonsense."""
    if not isinstance(units, str) or not _UNITS.match(units):
        raise Nonsense("the amount of a balance change is none")
    if not isinstance(coin_type, str) or not 0 < len(coin_type) <= _TYPE_MAX:
        raise Nonsense("the coin type of a balance change is none")
    return Change(address_of(address), coin_type, int(units))


def address_of(text: Any) -> str:
    if not isinstance(text, str):
        raise Nonsense("an address is missing")
    try:
        return parse_sui(text)
    except InvalidAddress as error:
        raise Nonsense(error.detail) from None


def gas(computation: Any, storage: Any, rebate: Any) -> int:
    """What a transaction cost, less what it gave back. Raises Nonsense."""
    costs = [value or 0 for value in (computation, storage, rebate)]
    if not all(type(cost) is int and 0 <= cost <= _U64_MAX for cost in costs):
        raise Nonsense("what a transaction cost is no number")
    return int(costs[0] + costs[1] - costs[2])


def _executed(message: Any) -> Executed:
    effects = message.effects
    if effects is None or effects.status is None or not isinstance(effects.status.success, bool):
        raise Nonsense("whether a transaction succeeded is not said")
    used = effects.gas_used
    payment = message.transaction.gas_payment if message.transaction is not None else None
    payer = payment.owner if payment is not None else None
    return Executed(
        digest=digest_of(message.digest),
        has_succeeded=effects.status.success,
        changes=[
            change(each.address, each.coin_type, each.amount) for each in message.balance_changes
        ],
        gas_payer=address_of(payer) if payer else None,
        gas_units=gas(used.computation_cost, used.storage_cost, used.storage_rebate) if used else 0,
        events=list(_events(message)),
    )


def _events(message: Any) -> Iterator[tuple[str, bytes]]:
    if message.events is None:
        return
    for event in message.events.events:
        contents = event.contents.value if event.contents is not None else None
        if isinstance(event.event_type, str) and isinstance(contents, bytes):
            yield event.event_type, contents
