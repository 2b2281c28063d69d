"""Lines in a zstd file that is written in frames, so that a few lines can be read without the rest.

Each frame stands for itself, with its own hash; all together are an ordinary file that `zstd -dc` reads. What is
known of the frames is kept elsewhere (the manifest of an archive), and with it what makes them trustworthy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

import msgspec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL: Final = 6  # half again as small as 3 for twice the time; beyond, little is gained


class ArchiveError(Exception):
    """Archived events cannot be had; says which file is at fault and what to do."""


class ArchiveMissing(ArchiveError):
    """A file is not there."""


class ArchiveAltered(ArchiveError):
    """A file is not what was written."""


class Frame(msgspec.Struct, frozen=True):
    """Some lines: where they are, their hash, and what the first of them is about."""

    offset: int
    length: int
    sha256: str
    first: int | str


class FramedFile(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str
    frames: list[Frame]


class FrameWriter:
    """Writes frames into a file that has its name only when `publish` gives it one."""

    def __init__(self, part: Path) -> None:
        self._part = part
        self._file = part.open("wb")
        self._hash = sha256()
        self._offset = 0
        self._frames: list[Frame] = []

    def write(self, first: int | str, lines: Sequence[bytes]) -> None:
        """One frame; `first` is what its first line is about."""
        packed = zstd.compress(b"\n".join(lines) + b"\n", _LEVEL)
        self._file.write(packed)
        self._hash.update(packed)
        self._frames.append(Frame(self._offset, len(packed), sha256(packed).hexdigest(), first))
        self._offset += len(packed)

    def finish(self, name: str) -> FramedFile:
        """Put it on the disk; what is to be known of it under the name it will get."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FramedFile(name, self._offset, self._hash.hexdigest(), self._frames)

    def publish(self, path: Path) -> None:
        """Give it its name. Call `finish` first."""
        publish(self._part, path)

    def abandon(self) -> None:
        """Remove it, unless it has its name. Safe to repeat."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def read_frame(path: Path, frame: Frame) -> list[bytes]:
    """The lines of a frame. Raises ArchiveMissing or ArchiveAltered."""
    try:
        with path.open("rb") as file:
            file.seek(frame.offset)
            packed = file.read(frame.length)
    except OSError as error:
        raise missing(path, error) from error
    if sha256(packed).hexdigest() != frame.sha256:
        raise altered(path)
    return zstd.decompress(packed).removesuffix(b"\n").split(b"\n")


def check_file(directory: Path, file: FramedFile) -> None:
    """Raises ArchiveMissing or ArchiveAltered unless the whole file is what was written."""
    path = directory / file.name
    try:
        with path.open("rb") as opened:
            found = file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise missing(path, error) from error
    if found != file.sha256:
        raise altered(path)


def missing(path: Path, error: OSError) -> ArchiveMissing:
    return ArchiveMissing(
        f"the archive file {path} cannot be read ({error.strerror}): bring it back there from a copy, "
        "or set FLAMEWIRE_ARCHIVE_DIR to where the archives are"
    )


def altered(path: Path) -> ArchiveAltered:
    return ArchiveAltered(
        f"the archive file {path} is not what was written, its hash is another: "
        "replace it by a copy, and see `flamewire archive verify`"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Put a small file on the disk under its name, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    publish(part, path)


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name, and put the name on the disk."""
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
