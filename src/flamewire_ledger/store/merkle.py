"""Merkle trees as RFC 6962 hashes them: a leaf begins with 0, a node with 1, so neither can pass for the other.

The root over a full segment of the log is a node of the tree over the whole log, because a segment is a power of
two of events and begins at a multiple of that: archives and signed checkpoints can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


def leaf_hash(content: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash of an entry."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash over two trees."""
    return sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """The root over leaves that come one by one; it remembers one hash for each power of two."""

    def __init__(self) -> None:
        self._complete: list[tuple[int, bytes]] = []  # leaves, root; each larger than the next
        self.leaves = 0

    def add(self, contents: Iterable[bytes]) -> None:
        """Take the next entries, as they are, not hashed."""
        complete = self._complete
        for content in contents:
            size, root = 1, leaf_hash(content)
            while complete and complete[-1][0] == size:
                size, root = 2 * size, node_hash(complete.pop()[1], root)
            complete.append((size, root))
            self.leaves += 1

    def root(self) -> bytes:
        """The tree hash of all that came; that of nothing is the hash of the empty string."""
        if not self._complete:
            return sha256().digest()
        root = self._complete[-1][1]
        for _, left in reversed(self._complete[:-1]):
            root = node_hash(left, root)
        return root
