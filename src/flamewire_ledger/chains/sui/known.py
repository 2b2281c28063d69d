"""The digests of checkpoints that were believed: what an endpoint says later has to agree with them.

Certified checkpoints are final, so a chain of Sui is never reorganised. Two digests for one height
mean that an endpoint lies, or is broken, and not that anything was taken back.
"""

from __future__ import annotations

from typing import Final

from flamewire_ledger.chains.sui.transfers import Checkpoint

KEPT_MAX: Final = 4_096


class KnownDigests:
    """The last of them, by height."""

    def __init__(self) -> None:
        self._digests: dict[int, str] = {}  # the oldest first

    def get(self, height: int) -> str | None:
        return self._digests.get(height)

    def contradiction(self, told: Checkpoint) -> int | None:
        """The height at which what is told differs from what is known; None: it does not."""
        if self._digests.get(told.height, told.digest) != told.digest:
            return told.height
        before = told.height - 1
        if self._digests.get(before, told.previous_digest) != told.previous_digest:
            return before
        return None

    def believe(self, told: Checkpoint) -> None:
        """It, and what it says of the one before it."""
        self._digests[told.height] = told.digest
        if told.height > 0:
            self._digests.setdefault(told.height - 1, told.previous_digest)
        while len(self._digests) > KEPT_MAX:
            del self._digests[next(iter(self._digests))]

    def forget_from(self, height: int) -> None:
        """What was believed of it and of all above was wrong."""
        for known in [known for known in self._digests if known >= height]:
            del self._digests[known]
