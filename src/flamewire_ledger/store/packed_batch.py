"""A batch as the arrays that append_batch takes, and its answer as verdicts. See
migrations/0002_append.sql.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flamewire_ledger.store.arrays import ByteaArray, Int4Array, TextArray, UuidArray
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    RecordedCommand,
    Verdict,
)


def pack_batch(partition: int, appends: Sequence[Append]) -> Mapping[str, Any]:
    """The parameters of `append`. Streams and commands are numbered from 1, like SQL arrays."""
    numbers: dict[str, int] = {}
    s_expected: list[int] = []
    s_last: list[int] = []
    c_events: list[int] = []
    mentions: list[tuple[int, int, int, int]] = []
    chained = True
    rows: list[tuple[int, Append, str, int, str, bytes]] = []
    for command, append in enumerate(appends, 1):
        events_before = len(rows)
        for stream in append.streams:
            stream_id, expected, count = (
                stream.stream_id,
                stream.expected_version,
                len(stream.events),
            )
            number = numbers.setdefault(stream_id, len(numbers) + 1)
            if number > len(s_last):
                s_expected.append(expected)
                s_last.append(expected)
            chained = chained and s_last[number - 1] == expected
            s_last[number - 1] += count
            mentions.append((command, number, expected, count))
            for version, event in enumerate(stream.events, expected + 1):
                rows.append((command, append, stream_id, version, event.type, event.data))
        c_events.append(len(rows) - events_before)
    earlier, repeats = _earlier(appends)
    r_command, r_stream, r_expected, r_events = (
        zip(*mentions, strict=True) if mentions else ((),) * 4
    )
    e_command, by, e_stream, e_version, e_type, e_data = (
        zip(*rows, strict=True) if rows else ((),) * 6
    )
    return {
        "partition": partition,
        "chained": chained and not repeats,
        "c_id": UuidArray([append.command_id for append in appends]),
        "c_fingerprint": ByteaArray([append.fingerprint for append in appends]),
        "c_answer": ByteaArray([append.answer for append in appends]),
        "c_events": Int4Array(c_events),
        "c_earlier": Int4Array(earlier),
        "s_id": TextArray(list(numbers)),
        "s_expected": Int4Array(s_expected),
        "s_last": Int4Array(s_last),
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
