"""Hot streams, kept folded by version, so that a batch loads only what it has not seen lately.

What is here may be behind the store: another writer may have moved the stream. The append finds
that out by its expected version; nothing here is an authority. Nor is it kept over a store that was
away: the server that came back may lack what the one before it had.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Folded:
    """A stream's state at a version; None and 0 when there is no such stream."""

    version: int
    state: Any


class FoldedStreams:
    """At most `streams_max` of them; the one used longest ago goes first."""

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._kept: OrderedDict[str, Folded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, stream_id: str) -> Folded | None:
        folded = self._kept.get(stream_id)
        if folded is not None:
            self._kept.move_to_end(stream_id)
        return folded

    def put(self, stream_id: str, folded: Folded) -> None:
        self._kept[stream_id] = folded
        self._kept.move_to_end(stream_id)
        if len(self._kept) > self._streams_max:
            self._kept.popitem(last=False)

    def evict(self, stream_id: str) -> None:
        self._kept.pop(stream_id, None)

    def clear(self) -> None:
        self._kept.clear()
