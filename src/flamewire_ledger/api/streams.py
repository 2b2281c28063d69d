"""Streams: whose they are, and their events, straight from the store: what has to be known before a
command is built.
"""

from __future__ import annotations

from typing import Any, Final

from flamewire_ledger.api.call import Call
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.domain.rejection import LimitReached, NotFound

_PAGE: Final = 1_000  # between two of them, others get their turn
_PAGES_MAX: Final = 2_000
_NAMES: Final = {
    "pi": "payment intent",
    "ca": "credit account",
    "pl": "price lock",
    "inv": "invoice",
    "own": "ownership challenge",
    "ut": "unclaimed transfer",
    "me": "meter",
    "plan": "plan",
    "sub": "subscription",
}


async def own(call: Call, prefix: str, stream_id: str, pointer: str | None = None) -> None:
    """Raises NotFound unless the stream is the caller's merchant's: commands do not ask again."""
    if call.office.owners.knows(call.merchant_id, stream_id) and stream_id.startswith(prefix):
        return
    if not is_id(prefix, stream_id) or not await call.office.owners.owns(
        call.merchant_id, stream_id
    ):
        raise NotFound(f"there is no such {_NAMES[prefix]}", pointer=pointer)


async def events_of(call: Call, stream_id: str, until: int | None = None) -> list[Any]:
    """The events of a stream, oldest first, none behind position `until`."""
    events: list[Any] = []
    version = 0
    for _ in range(_PAGES_MAX):
        recorded = await call.parts.store.read_stream(
            call.partition, stream_id, after_version=version, limit=_PAGE
        )
        for one in recorded:
            if until is not None and one.position > until:
                return events
            events.append(call.parts.codec.decode(one))
        if len(recorded) < _PAGE:
            return events
        version = recorded[-1].version
    raise LimitReached("this has too long a history to be told at once")
