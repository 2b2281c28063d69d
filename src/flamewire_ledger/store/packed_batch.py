"""A batch as the arrays that append_batch, append_each and append_alone take, and their answers as verdicts. See
migrations/0002_append.sql.

Everything is numbered from 1, like SQL arrays: commands, streams in the order of their first
mention, events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from flamewire_ledger.store.arrays import (
    ByteaArray,
    FewTextsArray,
    Int4Array,
    TextArray,
    UuidArray,
)
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    RecordedCommand,
    Verdict,
)


def pack_batch(partition: int, appends: Sequence[Append]) -> Mapping[str, Any] | None:
    """The parameters of `append`; None when an id comes twice, or the mentions of a stream do not
    continue each other: then only append_each can tell what becomes of them.
    """
    if len({append.command_id.int for append in appends}) < len(appends):
        return None
    expected: dict[str, int] = {}
    last: dict[str, int] = {}
    for append in appends:
        for stream in append.streams:
            stream_id, version = stream.stream_id, stream.expected_version
            if last.get(stream_id, version) != version:
                return None
            expected.setdefault(stream_id, version)
            last[stream_id] = version + len(stream.events)
    commands, events = _commands(appends), _events(appends)
    return {
        "partition": partition,
        **commands,
        "c_last": Int4Array(list(accumulate(map(_count, appends)))),
        "s_id": TextArray(list(expected)),
        "s_expected": Int4Array(list(expected.values())),
        "s_last": Int4Array(list(last.values())),
        **events,
    }


def pack_each(partition: int, appends: Sequence[Append]) -> Mapping[str, Any]:
    """The parameters of `append_each`."""
    return {
        "partition": partition,
        **_commands(appends),
        **_mentions(appends),
        **_events(appends),
    }


def _mentions(appends: Sequence[Append]) -> Mapping[str, Any]:
    """Which command mentions which stream, and what only looking at each command needs besides."""
    numbers: dict[str, int] = {}
    mentions: list[tuple[int, int, int, int]] = []
    c_events: list[int] = []
    e_command: list[int] = []
    for command, append in enumerate(appends, 1):
        for stream in append.streams:
            number = numbers.setdefault(stream.stream_id, len(numbers) + 1)
            mentions.append((command, number, stream.expected_version, len(stream.events)))
        c_events.append(_count(append))
        e_command += [command] * c_events[-1]
    r_command, r_stream, r_expected, r_events = _columns(mentions, 4)
    return {
        "c_events": Int4Array(c_events),
        "c_earlier": Int4Array(_earlier(appends)),
        "s_id": TextArray(list(numbers)),
        "r_command": Int4Array(r_command),
        "r_stream": Int4Array(r_stream),
        "r_expected": Int4Array(r_expected),
        "r_events": Int4Array(r_events),
        "e_command": Int4Array(e_command),
    }


def pack_alone(partition: int, appends: Sequence[Append]) -> Mapping[str, Any] | None:
    """The parameters of `append_alone`; None when only append_each can tell, as above."""
    batch = pack_batch(partition, appends)
    return batch and {**batch, **_mentions(appends)}


def _commands(appends: Sequence[Append]) -> Mapping[str, Any]:
    return {
        "c_id": UuidArray([append.command_id for append in appends]),
        "c_fingerprint": ByteaArray([append.fingerprint for append in appends]),
        "c_answer": ByteaArray([append.answer for append in appends]),
    }


def _events(appends: Sequence[Append]) -> Mapping[str, Any]:
    """The columns of the events."""
    by: list[Append] = []
    streams: list[str] = []
    versions: list[int] = []
    types: list[str] = []
    data: list[bytes] = []
    for append in appends:
        for stream in append.streams:
            version = stream.expected_version
            for event in stream.events:
                version += 1
                by.append(append)
                streams.append(stream.stream_id)
                versions.append(version)
                types.append(event.type)
                data.append(event.data)
    return {
        "e_command_id": UuidArray([append.command_id for append in by]),
        "e_stream": TextArray(streams),
        "e_version": Int4Array(versions),
        "e_type": FewTextsArray(types),
        "e_merchant": FewTextsArray([append.merchant_id for append in by]),
        "e_metadata": ByteaArray([append.metadata for append in by]),
        "e_data": ByteaArray(data),
    }


def _count(append: Append) -> int:
    """How many events it has."""
    if len(append.streams) == 1:
        return len(append.streams[0].events)
    return sum([len(stream.events) for stream in append.streams])


def all_appended(appends: Sequence[Append], position: int) -> list[Verdict]:
    """The verdicts when all were recorded, behind this position."""
    found: list[Verdict] = []
    for append in appends:
        position += _count(append)
        found.append(Appended(position))
    return found


def verdicts(appends: Sequence[Append], answer: Sequence[tuple[Any, ...]]) -> list[Verdict]:
    """A verdict for each append, from the rows that append_each or append_alone answered."""
    unrecorded = {row[0]: row[1:] for row in answer}
    position = unrecorded.pop(0)[0]
    names = list(dict.fromkeys(s.stream_id for append in appends for s in append.streams))
    by_id: dict[Any, Verdict] = {}
    found: list[Verdict] = []
    for number, append in enumerate(appends, 1):
        verdict: Verdict
        if number not in unrecorded:
            position += _count(append)
            verdict = Appended(position)
            known = RecordedCommand(append.fingerprint, position, append.answer)
            by_id[append.command_id] = Duplicate(known)
        else:
            found_position, fingerprint, stored, moved = unrecorded[number]
            if fingerprint is not None:
                verdict = Duplicate(RecordedCommand(fingerprint, found_position, stored))
            elif moved is not None:
                verdict = Conflict(tuple(names[stream - 1] for stream in moved))
            else:
                verdict = by_id[append.command_id]
        found.append(verdict)
    return found


def _earlier(appends: Sequence[Append]) -> list[int]:
    """For each command, the number of the one before it that has the same id, or 0."""
    last: dict[Any, int] = {}
    earlier: list[int] = []
    for number, append in enumerate(appends, 1):
        earlier.append(last.get(append.command_id, 0))
        last[append.command_id] = number
    return earlier


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count
