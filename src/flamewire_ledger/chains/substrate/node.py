"""A node at the other end of an open line, with what is known of its runtimes. It blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.chains.chain import ChainUnavailable, Heads
from flamewire_ledger.chains.substrate.runtime import Runtime, runtime_of
from flamewire_ledger.chains.substrate.scale import Unreadable

if TYPE_CHECKING:
    from flamewire_ledger.chains.substrate.line import Line

_RUNTIMES_KEPT: Final = 8


class Node:
    """Use it from the thread of its line. Every method may raise ChainUnavailable."""

    def __init__(self, line: Line) -> None:
        self._line = line
        # By spec version; as long as the line lasts, so that what a node had wrong is asked again.
        self._known: dict[int, Runtime] = {}
        self.keeps_all_states = True
        self.told: tuple[str, str, Heads] | None = None  # the heads by their hashes: final, best

    def ask(self, *questions: tuple[str, list[Any]]) -> list[Any]:
        """The answers, in order."""
        return self._line.ask(questions)

    def spec_versions(self, hashes: list[str]) -> list[int]:
        """Of the runtimes that are in force behind these blocks, which follow one another.

        Versions only grow: where the first and the last have the same, so have all between them.
        """
        if not hashes:
            return []
        ends = self._versions([hashes[0], hashes[-1]])
        if ends[0] == ends[1]:
            return [ends[0]] * len(hashes)
        return self._versions(hashes)

    def _versions(self, hashes: list[str]) -> list[int]:
        answers = self.ask(*[("state_getRuntimeVersion", [each]) for each in hashes])
        try:
            return [int(answer["specVersion"]) for answer in answers]
        except (KeyError, TypeError, ValueError):
            raise ChainUnavailable("the node's runtime has no version") from None

    def runtime(self, spec_version: int, block_hash: str) -> Runtime:
        """The runtime of this version, which is in force behind this block."""
        found = self._known.get(spec_version)
        if found is not None:
            return found
        (metadata,) = self.ask(("state_getMetadata", [block_hash]))
        try:
            found = runtime_of(bytes.fromhex(metadata.removeprefix("0x")))
        except (AttributeError, ValueError) as error:
            why = str(error) if isinstance(error, Unreadable) else "its metadata are no bytes"
            raise ChainUnavailable(f"runtime {spec_version} cannot be used: {why}") from None
        if len(self._known) >= _RUNTIMES_KEPT:
            del self._known[next(iter(self._known))]
        self._known[spec_version] = found
        return found
