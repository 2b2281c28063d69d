"""Usage comes in: CloudEvents as one object, an array or lines, each counted once.

An item that cannot be counted is refused for itself, with the reason; the rest is taken. What was
taken is durable when the answer is given. The idempotency of an item is its (source, id), so that a
whole request may be sent again, cut differently, for as long as somebody likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.reading import caught_up
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.api.submitting import POSITION_HEADER
from flamewire_ledger.billing.arrears import LATE
from flamewire_ledger.commands.metering import Item, Reading, Refused, read_item
from flamewire_ledger.commands.usage_recording import UsageNotRecorded
from flamewire_ledger.domain.rejection import Malformed
from flamewire_ledger.store.usage_items import ClaimedBatch, NewBatch, key_of

ITEMS_MAX: Final = 10_000
BODY_BYTES_MAX: Final = 16 * 1024 * 1024
AHEAD_MAX: Final = timedelta(minutes=5)  # clocks differ
AGE_MAX: Final = LATE  # last month's usage may come until the fourth, at least
COUNTS_MAX: Final = (
    200_000  # of the items of a request: each counts for every meter that lets it pass
)
ITEMS_AT_ONCE: Final = 500  # read before others get their turn
_COUNTED_AT_ONCE: Final = 100  # each is held against the filters of up to a thousand meters
_CLAIMS_MAX: Final = 3
_ACCEPTED: Final = "accepted"
_DUPLICATE: Final = "duplicate"
_ID_REUSED: Final = Refused(
    "id_reused", "another item with this source and id was counted: this one is not"
)
_ASIDE: Final = Refused(
    "not_recorded_yet",
    "it came before and could not be recorded; an operator has been told: send it again later",
)
_COMPARED_MAX: Final = 1_000  # batches that duplicates are held against
_COMPARED_AT_ONCE: Final = 20
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_DETAILS: Final = {
    "insufficient_credits": "the account has not enough credits for these items",
    "limit_reached": "these items would go beyond a hard limit of the account",
    "given_up": "an operator has decided that these items are not recorded: send them again",
}


@dataclass(slots=True)
class _Batch:
    """Items of one account on their way. `places`: where each of them was in the request."""

    account_id: str
    places: list[int] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    keys: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """A request: its items as bytes, and what became of each."""

    items: Sequence[bytes]
    outcomes: list[str | Refused | None]
    firsts: dict[UUID, tuple[int, str]] = field(default_factory=dict)  # their places and accounts
    # A place, that of its first, and whether they are of one account.
    repeats: list[tuple[int, int, bool]] = field(default_factory=list)
    position: int = 0


async def ingest(call: Call) -> Answer:
    items = split(call.body)
    work = _Work(items, [None] * len(items))
    batches = await _read(call, work)
    desk, items_ = call.office.usage, call.parts.usage_items
    for _ in range(_CLAIMS_MAX):
        batches = await _claim(call, work, batches) if batches else []
        keys = [key for batch in batches for key in batch.keys]
        if not keys or len(await items_.counted(keys)) == len(keys):
            break
        # Somebody claimed these before and did not come to an end: that is done first. What was
        # refused then, by whoever it was, may be taken now.
        await desk.recorder.finish(await items_.unfinished_of(keys))
        batches = _leave(work, batches, await items_.aside(keys))
    else:
        raise UsageNotRecorded("others send the same items at the same time: send them again")
    for batch in batches:
        _say(work, batch.places, _DUPLICATE)
    await _look_at_duplicates(call, work, batches)
    for place, first, is_same in work.repeats:
        said = work.outcomes[first]
        if not isinstance(said, Refused):
            is_same = is_same and _says_the_same(work.items[place], work.items[first])
            said = _DUPLICATE if is_same else _ID_REUSED
        work.outcomes[place] = said
    return _answer(call, work)


def split(body: bytes) -> list[bytes]:
    """The items of a body: an array's, or one a line, or the one it is."""
    text = body.strip()
    if text[:1] == b"[":
        try:
            items = [bytes(raw) for raw in _raws.decode(text)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise problems.malformed_json("the body is no JSON array of CloudEvents") from None
    else:
        items = [line for line in map(bytes.strip, text.split(b"\n")) if line]
        if len(items) > 1 and not isinstance(read_item(text), Refused):
            items = [text]  # one object, written over several lines
    if not items:
        raise Malformed("send at least one item of usage")
    if len(items) > ITEMS_MAX:
        raise problems.batch_too_large(ITEMS_MAX)
    return items


async def _read(call: Call, work: _Work) -> list[_Batch]:
    """Every item that can be counted, by account; what is wrong with the others is their outcome."""
    now, found = call.now(), list[tuple[int, Item]]()
    for place, raw in enumerate(work.items):
        item = read_item(raw)
        refused = item if isinstance(item, Refused) else _out_of_window(item, now)
        if refused is not None:
            work.outcomes[place] = refused
        elif isinstance(item, Item):
            found.append((place, item))
        if place % ITEMS_AT_ONCE == ITEMS_AT_ONCE - 1:
            await asyncio.sleep(0)
    if not found:
        return []
    await caught_up(call, "meters", "credit_balance")
    desk, merchant_id = call.office.usage, call.merchant_id
    accounts = await desk.accounts(merchant_id, {item.subject for _, item in found})
    meters = await desk.meters(merchant_id)
    if not all(map(meters.knows, {item.type for _, item in found})):
        meters = await desk.meters(merchant_id, afresh=True)
    batches: dict[str, _Batch] = {}
    counts = 0
    for number, (place, item) in enumerate(found):
        if number % _COUNTED_AT_ONCE == _COUNTED_AT_ONCE - 1:
            await asyncio.sleep(0)
        account_id = accounts[item.subject]
        reading = account_id if isinstance(account_id, Refused) else meters.read(item)
        if isinstance(account_id, Refused) or isinstance(reading, Refused):
            work.outcomes[place] = reading if isinstance(reading, Refused) else None
            continue
        assert isinstance(reading, Reading), "what is not refused is read"
        counts += len(reading.counts)
        if counts > COUNTS_MAX:
            raise problems.batch_too_large(number)
        key = key_of(merchant_id, item.source, item.id)
        first, whose = work.firsts.setdefault(key, (place, account_id))
        if first != place:
            work.repeats.append((place, first, whose == account_id))
            continue
        batch = batches.get(account_id)
        if batch is None:
            batch = batches[account_id] = _Batch(account_id)
        batch.places.append(place)
        batch.readings.append(reading)
        batch.keys.append(key)
    return list(batches.values())


def _out_of_window(item: Item, now: datetime) -> Refused | None:
    if item.time > now + AHEAD_MAX:
        return Refused("in_the_future", "time is still to come: is the sender's clock right?")
    if item.time < now - AGE_MAX:
        return Refused("too_old", f"usage is taken for {AGE_MAX.days} days after it happened")
    return None


async def _claim(call: Call, work: _Work, batches: Sequence[_Batch]) -> list[_Batch]:
    """Claim and record what nobody has claimed; the rest comes back."""
    now = call.now()
    new = {
        UUID(bytes=call.parts.entropy(16), version=4): (
            batch,
            [work.items[p] for p in batch.places],
        )
        for batch in batches
    }
    meter_ids = sorted({it for b in batches for reading in b.readings for it in reading.meters})
    taken = await call.parts.usage_items.claim(
        call.merchant_id,
        now,
        meter_ids,
        [NewBatch(id_, batch.account_id, batch.keys, raws) for id_, (batch, raws) in new.items()],
    )
    claimed = []
    for id_, seqs in taken.items():
        batch, raws = new[id_]
        whole = ClaimedBatch(id_, call.merchant_id, batch.account_id, now, meter_ids, raws, seqs)
        claimed.append((whole, [(seq, batch.readings[seq]) for seq in seqs]))
    recorded = await call.office.usage.recorder.record(claimed)
    for id_ in taken:
        batch, outcome = new[id_][0], recorded.get(id_)
        if outcome is None:
            _say(work, [batch.places[seq] for seq in taken[id_]], _ASIDE)
            continue
        for seq in taken[id_]:
            code = outcome.refused.get(seq)
            said = _ACCEPTED if code is None else Refused(code, _DETAILS.get(code, code))
            work.outcomes[batch.places[seq]] = said
        work.position = max(work.position, outcome.position)
    return _left(new.items(), taken)


async def _look_at_duplicates(call: Call, work: _Work, batches: Sequence[_Batch]) -> None:
    """A duplicate says what the item said that was counted. One that says something else is no
    duplicate: whoever sent it has given an id twice, and shall know that it does not count.
    """
    items = call.parts.usage_items
    sent = {
        key: (batch.account_id, place)
        for batch in batches
        for key, place in zip(batch.keys, batch.places, strict=True)
    }
    known: dict[UUID, list[tuple[UUID, int]]] = {}
    for key, (batch_id, seq) in (await items.places(list(sent)) if sent else {}).items():
        known.setdefault(batch_id, []).append((key, seq))
    ids = list(known)[:_COMPARED_MAX]
    for start in range(0, len(ids), _COMPARED_AT_ONCE):
        for counted in await items.batches(ids[start : start + _COMPARED_AT_ONCE]):
            for key, seq in known[counted.batch_id]:
                account_id, place = sent[key]
                is_same = _says_the_same(work.items[place], counted.items[seq])
                if account_id != counted.account_id or not is_same:
                    work.outcomes[place] = _ID_REUSED


def _says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two items are one, however they are written; an account has several names."""
    if one == other:
        return True
    items = [read_item(each) for each in (one, other)]
    same = {(it.type, it.time) if isinstance(it, Item) else None for it in items}
    data = [it.data if isinstance(it, Item) else None for it in items]
    return len(same) == 1 and data[0] == data[1]


def _left(new: Iterable[Any], taken: Any) -> list[_Batch]:
    left = []
    for id_, (batch, _) in new:
        gone = set(taken.get(id_, ()))
        if len(gone) < len(batch.places):
            left.append(_without(batch, gone))
    return left


def _leave(work: _Work, batches: Sequence[_Batch], aside: Collection[UUID]) -> list[_Batch]:
    """What nobody can record at present stops none of the rest."""
    left = []
    for batch in batches:
        gone = {seq for seq, key in enumerate(batch.keys) if key in aside}
        _say(work, [batch.places[seq] for seq in gone], _ASIDE)
        if len(gone) < len(batch.places):
            left.append(_without(batch, gone))
    return left


def _without(batch: _Batch, gone: Collection[int]) -> _Batch:
    rest = _Batch(batch.account_id)
    for seq, place in enumerate(batch.places):
        if seq not in gone:
            rest.places.append(place)
            rest.readings.append(batch.readings[seq])
            rest.keys.append(batch.keys[seq])
    return rest


def _say(work: _Work, places: Iterable[int], outcome: str | Refused) -> None:
    for place in places:
        work.outcomes[place] = outcome


def _answer(call: Call, work: _Work) -> Answer:
    said = [
        {"code": it.code, "detail": it.detail} if isinstance(it, Refused) else it
        for it in work.outcomes
    ]
    accepted, duplicates = said.count(_ACCEPTED), said.count(_DUPLICATE)
    headers = {}
    if work.position:
        call.office.acknowledged.note(call.merchant_id, work.position)
        headers[POSITION_HEADER] = str(work.position)
    body = {
        "object": "usage_batch",
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(said) - accepted - duplicates,
        "items": said,
        "position": work.position or None,
    }
    call.parts.meter.add("usage_items", accepted, outcome="accepted")
    call.parts.meter.add("usage_items", duplicates, outcome="duplicate")
    call.parts.meter.add("usage_items", len(said) - accepted - duplicates, outcome="rejected")
    return Answer(to_json(body), headers)
