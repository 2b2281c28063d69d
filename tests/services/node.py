"""Programs from npm: each folder in tests/services/node is a locked set of them.

They go to `.services/node/SET`, once for a given lock. Install scripts never run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.services.place import PLACE, ServiceMissing, locked

SETS = Path(__file__).parent / "node"
_INSTALL_SECONDS_MAX = 240


def installed(name: str) -> Path:
    """The folder that holds node_modules of that set; raises ServiceMissing without npm."""
    source, folder = SETS / name, PLACE / "node" / name
    digest = _digest(source)
    stamp = folder / "stamp"
    with locked(PLACE / "node" / f"{name}.mutex"):
        if stamp.exists() and stamp.read_text() == digest:
            return folder
        if shutil.which("npm") is None:
            raise ServiceMissing("npm is not installed: install Node.js 20 or later")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        _install(folder)
        stamp.write_text(digest)
    return folder


def _install(folder: Path) -> None:
    # Not `npm ci`: it refuses a lock without the binaries of other platforms, as npm writes it.
    command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            [*command, "--loglevel=error"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceMissing(f"npm took over {_INSTALL_SECONDS_MAX} s in {folder}") from error
    if done.returncode != 0:
        raise ServiceMissing(f"npm could not install {folder.name}: {done.stderr.strip()[-500:]}")


def _digest(source: Path) -> str:
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
