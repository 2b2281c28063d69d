"""Reading: a question to a read model, asked when it has come far enough.

Whoever wrote through this process reads what was written; a position can be asked for; and nothing
is called missing before the read model has come to the end of the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.fields import POSITION_MAX, Page, is_time, parse_time
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.queries import pages
from flamewire_ledger.queries.facts import Facts
from flamewire_ledger.queries.pages import CursorError, Listing
from flamewire_ledger.store.event_store import StoreUnavailable

Row: TypeAlias = Mapping[str, Any]
Found = TypeVar("Found")


async def caught_up(call: Call, *names: str) -> None:
    """Wait until the read models have come to `min_position` (else a 503), or, when none is asked
    for, to what this merchant was told last (2 s at most: then what there is is the answer)."""
    wanted = call.query.min_position
    told = call.office.acknowledged.of(call.merchant_id)
    position = wanted if wanted is not None else told
    if not position or await reached(call, position, *names):
        return
    if wanted is not None:
        raise problems.projection_behind(wanted)
    with suppress(StoreUnavailable):
        head = await call.parts.store.head(call.partition)
        call.office.acknowledged.lost(call.merchant_id, head)


async def head_reached(call: Call, *names: str) -> None:
    """Wait until the read models have seen all that is recorded now; a 503 when they do not."""
    head = await call.parts.store.head(call.partition)
    if not await reached(call, head, *names):
        raise problems.projection_behind(head)


async def reached(call: Call, position: int, *names: str) -> bool:
    seconds = call.parts.limits.wait_seconds_max
    return await call.parts.reads.wait_for(call.partition, position, names, seconds)


async def find(
    call: Call, what: str, name: str, question: Callable[[], Awaitable[Found | None]]
) -> Found:
    """The one row of read model `name`, or a 404 once the read model has come to the end of the store."""
    await caught_up(call, name)
    row = await question()
    if row is None:
        await head_reached(call, name)
        row = await question()
    if row is None:
        raise problems.not_found(f"there is no such {what}")
    return row


async def find_facts(call: Call, what: str, name: str, facts: Facts, stream_id: str) -> bytes:
    """The facts of one stream in read model `name`, or a 404 as `find` has it.

    They may come from a cache, which then has all that Postgres would have, and what `caught_up`
    waits for.
    """
    merchant_id, partition = call.merchant_id, call.partition
    position = call.query.min_position or call.office.acknowledged.of(merchant_id)
    cached = await facts.cached(partition, merchant_id, stream_id, position)
    call.parts.meter.add("facts_read", source="postgres" if cached is None else "cache")
    if cached is not None:
        return cached
    return await find(call, what, name, lambda: facts.read(partition, merchant_id, stream_id))


def page_of(call: Call) -> pages.Page:
    """The part of a list that the query asks for."""
    query: Page = call.query
    return pages.Page(query.limit, query.starting_after, query.ending_before)


async def listed(
    call: Call, name: str, question: Callable[[], Awaitable[Listing]], *, ids: str | None = None
) -> Listing:
    """A page of a list; a cursor that is none is a 422, or else a client that lost its own would
    take an empty page for the end. `ids` is their prefix, where a list has ids of its own kind.
    """
    query: Page = call.query
    if query.starting_after is not None and query.ending_before is not None:
        raise problems.wrong_parameter("ending_before", "give it or starting_after, not both")
    for parameter in ("starting_after", "ending_before"):
        cursor = getattr(query, parameter)
        if ids is not None and cursor is not None and not is_id(ids, cursor):
            raise problems.wrong_parameter(parameter, f"it is an id of this list: {ids}_…")
    await caught_up(call, name)
    try:
        return await question()
    except CursorError as error:
        which = "starting_after" if query.ending_before is None else "ending_before"
        raise problems.wrong_parameter(which, str(error)) from None


async def as_of(call: Call, text: str, *names: str) -> int:
    """The position that `as_of` means, once the read models have come to it.

    What has not been yet, or was before the first event, is a 422 and not an empty answer.
    """
    position = await _position(call, text)
    if not await reached(call, position, *names):
        raise problems.projection_behind(position)
    return position


async def _position(call: Call, text: str) -> int:
    store = call.parts.store
    head = await store.head(call.partition)
    if text.isascii() and text.isdigit():
        position = int(text)
        if position > min(head, POSITION_MAX):
            raise problems.beyond_the_head(f"the last position is {head}")
        if position < 1:
            raise problems.beyond_the_head("the first position is 1")
        return position
    at = _time(text)
    # Events are recorded by the real clock, sandbox or not, and `as_of` goes by that.
    if at > call.parts.live.clock.now():
        raise problems.beyond_the_head("this time is still to come")
    position = await store.position_at(call.partition, at)
    if position < 1:
        raise problems.beyond_the_head("nothing had been recorded at that time")
    return position


def _time(text: str) -> datetime:
    try:
        if is_time(text):
            return parse_time(text)
    except (ValueError, OverflowError):
        pass  # 31 February has the shape of a time
    raise problems.wrong_parameter(
        "as_of", "a position, or an RFC 3339 time with its offset (a + is written %2B)"
    )
