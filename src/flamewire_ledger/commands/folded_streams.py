"""Hot streams, kept folded by version, so that a batch loads only what it has not seen lately.

What is here may be behind the store: another writer may have moved the stream. The append finds
that out by its expected version; nothing here is an authority. Nor is it kept over a store that was
away: the server that came back may lack what the one before it had.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple


class Folded(NamedTuple):
    """A stream's state at a version; None and 0 when there is no such stream."""

    version: int
    state: Any


class FoldedStreams:
    """At most `streams_max` of them; the one used longest ago goes first."""

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._kept: OrderedDict[str, Folded] = OrderedDict()
        self._behind: set[str] = set()  # of those kept

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
        self._behind.discard(stream_id)
        if len(self._kept) > self._streams_max:
            self.evict(next(iter(self._kept)))

    def doubt(self, stream_id: str) -> None:
        """Something built on it was not recorded, so it is behind, or wrong. The first time what is
        missing is to be added; the second time in a row it is forgotten.
        """
        if stream_id in self._behind:
            self.evict(stream_id)
        elif stream_id in self._kept:
            self._behind.add(stream_id)

    def is_behind(self, stream_id: str) -> bool:
        """Whether what was recorded since has to be added first."""
        return stream_id in self._behind

    def evict(self, stream_id: str) -> None:
        self._kept.pop(stream_id, None)
        self._behind.discard(stream_id)

    def clear(self) -> None:
        self._kept.clear()
        self._behind.clear()
