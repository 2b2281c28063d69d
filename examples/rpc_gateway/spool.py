"""What was served and is not in the ledger's books yet: lines in files, as they will be sent.

A call is a line in the open file before its answer goes out. Now and then that file is sealed, and
from then on it is a request: sent as often as it takes, and deleted when the ledger has answered it.
A crash between the two sends it again, which counts nothing twice: each line has its `source` and
`id`. What is written survives the end of this process; a power cut may take the last moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

CALLS_MAX: Final = 1_000_000  # as many as may wait for the ledger; then nothing more is served
LINES_MAX: Final = 1_000  # of a file
_SEALED: Final = "[0-9]*.ndjson"
_REFUSED: Final = "refused.ndjson"


class SpoolFull(Exception):
    """More waits for the ledger than may wait: nothing can be served that could not be charged."""


class Spool:
    """A folder; for one process."""

    def __init__(self, folder: Path, *, calls_max: int = CALLS_MAX) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._calls_max = calls_max
        numbers = [int(file.stem) for file in folder.glob(_SEALED)]
        self._number = max(numbers, default=0)
        self._open = folder / "open.ndjson"
        left = self._open.read_bytes().splitlines() if self._open.exists() else []
        self._lines = len(left)
        self._file = self._open.open("ab")
        self.seal()  # of the last run; its last line may be half a line, and is refused then
        self.waiting = sum(len(file.read_bytes().splitlines()) for file in self.sealed())

    def close(self) -> None:
        self._file.close()

    def check_room(self, calls: int) -> None:
        if self.waiting + calls > self._calls_max:
            raise SpoolFull(f"{self.waiting} calls wait for the ledger")

    def write(self, lines: Sequence[bytes]) -> None:
        """Lines of one request, each with its end."""
        self._file.write(b"".join(lines))
        self._file.flush()
        self._lines += len(lines)
        self.waiting += len(lines)
        if self._lines >= LINES_MAX:
            self.seal()

    def seal(self) -> None:
        """Close the open file, and begin another."""
        if not self._lines:
            return
        self._file.close()
        self._number += 1
        self._open.rename(self._folder / f"{self._number:012d}.ndjson")
        self._file, self._lines = self._open.open("ab"), 0

    def sealed(self) -> list[Path]:
        """Requests to be sent, the oldest first."""
        return sorted(self._folder.glob(_SEALED))

    def settle(self, sent: Path, refused: Sequence[bytes]) -> None:
        """The ledger has answered. What it refused is kept: rename that file to a number while the
        gateway is stopped, and it is sent again.
        """
        if refused:
            with (self._folder / _REFUSED).open("ab") as file:
                file.write(b"".join(line + b"\n" for line in refused))
        self.waiting -= len(sent.read_bytes().splitlines())
        sent.unlink()
