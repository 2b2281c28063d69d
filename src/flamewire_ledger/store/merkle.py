"""Merkle trees as RFC 6962 hashes them: a leaf begins with 0, a node with 1, so neither can pass for the other.

The root over a full segment of the log is a node of the tree over the whole log, because a segment is a power of
two of events and begins at a multiple of that: archives and signed checkpoints can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    @property
    def parts(self) -> Sequence[tuple[int, bytes]]:
        """Leaves and root of each complete part, the largest first: all that is needed to go on."""
        return tuple(self._complete)

    @classmethod
    def of_parts(cls, parts: Iterable[tuple[int, bytes]]) -> MerkleTree:
        """A tree that goes on where the one with these parts was."""
        tree = cls()
        tree._complete = list(parts)
        tree.leaves = sum(size for size, _ in tree._complete)
        return tree

    def root(self) -> bytes:
        """The tree hash of all that came; that of nothing is the hash of the empty string."""
        if not self._complete:
            return sha256().digest()
        root = self._complete[-1][1]
        for _, left in reversed(self._complete[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 9162, section 2.1.3.1: the hashes that lead from leaf `index` to the root, the nearest first.

    `leaves` are leaf hashes.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("there is no such leaf")
    path: list[bytes] = []
    level, place = list(leaves), index
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            path.append(level[beside])
        # What has nobody beside it goes up as it is: that is what RFC 6962 makes of odd numbers.
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level, place = [node_hash(left, right) for left, right in pairs] + odd, place // 2
    return path


def root_from_path(leaf: bytes, index: int, leaves: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its path lead to (RFC 9162, section 2.1.3.2); ValueError when the path is
    of another length than it has to be.
    """
    root, rest, last = leaf, list(path), leaves - 1
    while last:
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the path is too short")
            beside = rest.pop(0)
            root = node_hash(beside, root) if index % 2 else node_hash(root, beside)
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is too long")
    return root
