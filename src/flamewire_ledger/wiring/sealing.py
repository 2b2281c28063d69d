"""The key that secrets are sealed with: from the settings, or from a file in the data directory.

The file is made when the first secret is to be sealed, readable by its owner only. It is not in the
database, so a copy of one without the other says nothing; and a backup is of both.
"""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from flamewire_ledger.security.sealing import KEY_BYTES, CannotOpen, Sealer, read_keys
from flamewire_ledger.settings import Settings

KEY_FILE: Final = "secrets.key"


class NoKey(CannotOpen):
    """There is nothing to seal with, and nowhere to keep a key."""


class LazySealer:
    """Looks for the key when it is needed: who keeps no secrets needs none."""

    def __init__(self, settings: Settings, purpose: str) -> None:
        self._settings = settings
        self._purpose = purpose

    def seal(self, what: str, plain: bytes) -> bytes:
        return self._sealer.seal(what, plain)

    def open(self, what: str, sealed: bytes) -> bytes:
        return self._sealer.open(what, sealed)

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer(keys_of(self._settings), self._purpose, os.urandom)


def keys_of(settings: Settings) -> tuple[bytes, ...]:
    """The one that seals first. Raises NoKey."""
    if settings.secrets_key is not None:
        return read_keys(settings.secrets_key.get_secret_value())
    file = settings.data_dir / KEY_FILE
    try:
        return read_keys(_read_or_make(file))
    except (OSError, ValueError):
        raise NoKey(
            f"set FLAMEWIRE_SECRETS_KEY, or let the ledger keep a key in {file.name} of its data directory"
        ) from None


def _read_or_make(file: Path) -> str:
    with suppress(FileNotFoundError):
        return file.read_text(encoding="ascii")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole before it has its name, which is given once: of several that make one, all read the same.
    made = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as writing:
            writing.write(b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            os.link(made, file)
    finally:
        made.unlink()
    return file.read_text(encoding="ascii")
