"""A batch as the arrays that append_batch takes, and its answer as verdicts. See
migrations/0002_append.sql.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flamewire_ledger.store.arrays import ByteaArray, Int4Array, TextArray, UuidArray
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    RecordedCommand,
    StreamAppend,
    Verdict,
)


@dataclass(slots=True)
class _Streams:
    """The streams of a batch, numbered from 1 in the order of their first mention."""

    numbers: dict[str, int] = field(default_factory=dict)
    expected: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    mentions: list[tuple[int, int, int, int]] = field(default_factory=list)
    are_chained: bool = True  # each mention of a stream continues the one before it

    def mention(self, command: int, stream: StreamAppend) -> None:
        expected, count = stream.expected_version, len(stream.events)
        number = self.numbers.setdefault(stream.stream_id, len(self.numbers) + 1)
        if number > len(self.last):
            self.expected.append(expected)
            self.last.append(expected)
        elif self.last[number - 1] != expected:
            self.are_chained = False
        self.last[number - 1] += count
        self.mentions.append((command, number, expected, count))


def pack_batch(partition: int, appends: Sequence[Append]) -> Mapping[str, Any]:
    """The parameters of `append`. Streams and commands are numbered from 1, like SQL arrays."""
    streams = _Streams()
    rows: list[tuple[int, Append, str, int, str, bytes]] = []
    c_events: list[int] = []
    for command, append in enumerate(appends, 1):
        events_before = len(rows)
        for stream in append.streams:
            streams.mention(command, stream)
            for version, event in enumerate(stream.events, stream.expected_version + 1):
                rows.append((command, append, stream.stream_id, version, event.type, event.data))
        c_events.append(len(rows) - events_before)
    earlier, repeats = _earlier(appends)
    r_command, r_stream, r_expected, r_events = _columns(streams.mentions, 4)
    e_command, by, e_stream, e_version, e_type, e_data = _columns(rows, 6)
    return {
        "partition": partition,
        "chained": streams.are_chained and not repeats,
        "c_id": UuidArray([append.command_id for append in appends]),
        "c_fingerprint": ByteaArray([append.fingerprint for append in appends]),
        "c_answer": ByteaArray([append.answer for append in appends]),
        "c_events": Int4Array(c_events),
        "c_earlier": Int4Array(earlier),
        "s_id": TextArray(list(streams.numbers)),
        "s_expected": Int4Array(streams.expected),
        "s_last": Int4Array(streams.last),
        "r_command": Int4Array(r_command),
        "r_stream": Int4Array(r_stream),
        "r_expected": Int4Array(r_expected),
        "r_events": Int4Array(r_events),
        "e_command": Int4Array(e_command),
        "e_command_id": UuidArray([append.command_id for append in by]),
        "e_stream": TextArray(e_stream),
        "e_version": Int4Array(e_version),
        "e_type": TextArray(e_type),
        "e_merchant": TextArray([append.merchant_id for append in by]),
        "e_metadata": ByteaArray([append.metadata for append in by]),
        "e_data": ByteaArray(e_data),
    }


def verdicts(appends: Sequence[Append], answer: Sequence[tuple[Any, ...]]) -> list[Verdict]:
    """A verdict for each append, from the rows that append_batch answered."""
    unrecorded = {row[0]: row[1:] for row in answer}
    position = unrecorded.pop(0)[0]
    if not unrecorded:
        return _all_appended(appends, position)
    names = list(dict.fromkeys(s.stream_id for append in appends for s in append.streams))
    by_id: dict[Any, Verdict] = {}
    found: list[Verdict] = []
    for number, append in enumerate(appends, 1):
        verdict: Verdict
        if number not in unrecorded:
            position += sum(len(stream.events) for stream in append.streams)
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


def _all_appended(appends: Sequence[Append], position: int) -> list[Verdict]:
    found: list[Verdict] = []
    for append in appends:
        for stream in append.streams:
            position += len(stream.events)
        found.append(Appended(position))
    return found


def _earlier(appends: Sequence[Append]) -> tuple[list[int], bool]:
    """For each command, the number of the one before it that has the same id, or 0; and whether any
    has.
    """
    last: dict[Any, int] = {}
    earlier: list[int] = []
    for number, append in enumerate(appends, 1):
        earlier.append(last.get(append.command_id, 0))
        last[append.command_id] = number
    return earlier, len(last) < len(appends)


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count
