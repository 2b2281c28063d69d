"""A sandbox chain as a pure function of its journal and the real time.

Blocks come every `block_seconds` for a while after each payment, and once a minute when nobody
pays, so that a chain that was left alone for a month is caught up with in no time. A block's hash
covers every entry up to it: when an entry is taken out, or came in late, that block and all above
it have other hashes, which is a reorganisation to whoever follows.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Final

from flamewire_ledger.chains.sandbox.journal import Entry
from flamewire_ledger.domain.transfer import Transfer

GENESIS: Final = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE_BLOCKS: Final = 64  # quick blocks after a payment: more than any script takes
IDLE: Final = timedelta(seconds=60)


class Timeline:
    """The chain as it is by now; `grow` first. Its head only goes up."""

    def __init__(self, chain_id: str, block_time: timedelta) -> None:
        self._chain_id = chain_id
        self._block_time = block_time
        self._idle = max(IDLE, block_time)
        self.head = 0
        self.sequence = 0
        # By the height of an anchor: when its block counts as made, and how far sandbox time was
        # ahead.
        self._anchor_heads = [0]
        self._anchors = [(GENESIS, timedelta(0))]
        # By block height: what each entry means to that block, by sequence.
        self._heights: list[int] = []
        self._marks: dict[int, dict[int, tuple[str, Entry]]] = {}
        self._digests: dict[int, bytes] = {}
        self._digested = 0  # how many of the heights have a digest that is right
        self._removals: list[tuple[int, int, Entry]] = []
        self._pending: dict[int, Entry] = {}

    # Growing.

    def add(self, entry: Entry) -> None:
        """Take in the next entry of the journal."""
        assert entry.sequence == self.sequence + 1, "entries come in order"
        self.sequence = entry.sequence
        self._anchor(entry)
        self._mark(entry.first_height, entry, "in" if entry.is_included else "out")
        self._pending[entry.sequence] = entry
        if entry.removed_at is not None:
            heappush(self._removals, (entry.removed_at, entry.sequence, entry))

    def grow(self, real_now: datetime) -> int:
        """The height by now; applies the reorganisations that have happened by then."""
        self.head = max(self.head, self.height_at(real_now))
        while self._removals and self._removals[0][0] <= self.head:
            _, _, entry = heappop(self._removals)
            self._mark(entry.first_height, entry, "out")
            if entry.returns_at is not None:
                self._mark(entry.returns_at, entry, "in")
        return self.head

    def _anchor(self, entry: Entry) -> None:
        offset = entry.paid_at - entry.real_at
        anchor = (entry.anchored_at, max(offset, self._anchors[-1][1]))
        if entry.head == self._anchor_heads[-1]:
            self._anchors[-1] = anchor
        else:
            self._anchor_heads.append(entry.head)
            self._anchors.append(anchor)

    def _mark(self, height: int, entry: Entry, what: str) -> None:
        if height not in self._marks:
            insort(self._heights, height)
            self._marks[height] = {}
        self._marks[height][entry.sequence] = (what, entry)
        self._digested = min(self._digested, bisect_left(self._heights, height))

    # Time.

    def height_at(self, real_now: datetime) -> int:
        """The height by real time, as far as the journal is known."""
        return self._anchor_heads[-1] + self._blocks_in(real_now - self._anchors[-1][0])

    def anchor_at(self, real_now: datetime) -> tuple[int, datetime]:
        """What a payment of now is anchored to: the head, and when its block counts as made.

        Quick blocks keep their rhythm; an idle chain starts its rhythm with the payment.
        """
        head = self.height_at(real_now)
        ahead = head - self._anchor_heads[-1]
        is_active = real_now < self._anchors[-1][0] + ACTIVE_BLOCKS * self._block_time
        return head, self._anchors[-1][0] + ahead * self._block_time if is_active else real_now

    def block_time(self, height: int) -> datetime:
        """When the block says it was made, in sandbox time."""
        place = max(0, bisect_left(self._anchor_heads, height) - 1)
        made, offset = self._anchors[place]
        ahead = height - self._anchor_heads[place]
        quick = min(ahead, ACTIVE_BLOCKS)
        return made + quick * self._block_time + (ahead - quick) * self._idle + offset

    def _blocks_in(self, elapsed: timedelta) -> int:
        quick = ACTIVE_BLOCKS * self._block_time
        if elapsed < quick:
            return max(0, elapsed // self._block_time)
        return ACTIVE_BLOCKS + (elapsed - quick) // self._idle

    # Contents.

    def digest(self, height: int) -> bytes:
        """32 bytes that stand for the block and all below it."""
        place = bisect_right(self._heights, height)
        self._digest_up_to(place)
        state = self._digests[self._heights[place - 1]] if place else b""
        return _hash(f"{self._chain_id}/{height}/".encode() + state)

    def _digest_up_to(self, place: int) -> None:
        while self._digested < place:
            height = self._heights[self._digested]
            before = self._digests[self._heights[self._digested - 1]] if self._digested else b""
            marks = sorted(self._marks[height].items())
            named = "".join(f"/{sequence}:{what}" for sequence, (what, _) in marks)
            self._digests[height] = _hash(before + named.encode())
            self._digested += 1

    def transfers(self, height: int) -> tuple[Transfer, ...]:
        marks = sorted(self._marks.get(height, {}).items())
        return tuple(entry.transfer for _, (what, entry) in marks if what == "in")

    def pending(self) -> Iterator[Entry]:
        """What waits for a block at this head."""
        for sequence, entry in list(self._pending.items()):
            waits_until = max(entry.pending_until, entry.returns_at or 0)
            if self.head >= waits_until:
                del self._pending[sequence]
            elif self.head < entry.pending_until or self.head >= (entry.removed_at or 0):
                yield entry


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
