"""Where peers come from: this file holds their environments, made once for a given lock.

They are below `.cache/peers`, named by the digest of what they were made from. Install scripts of
npm packages never run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flamewire_ledger.cli.postgres_files import embedded_binaries
from scripts.benchmarks.peers.contender import PeerMissing
from scripts.benchmarks.peers.program import ROOT

PEERS: Final = Path(__file__).parent
PLACE: Final = ROOT / ".cache" / "peers"
_SECONDS_MAX: Final = 300.0
_NPM: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def python_of(name: str) -> Path:
    """The Python of an environment with that peer's requirements.txt; raises PeerMissing."""
    requirements = PEERS / name / "requirements.txt"
    folder = PLACE / f"{name}-{_digest([requirements])}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(name, (sys.executable, "-m", "venv", folder), ROOT, "install python3-venv")
        install = (
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            requirements,
        )
        _run(name, install, ROOT, "the package index for Python has to be reachable")
        (folder / "complete").touch()
    return python


def folder_of(name: str) -> Path:
    """A copy of that peer's folder with its node_modules; raises PeerMissing."""
    source = PEERS / name
    folder = PLACE / f"{name}-{_digest(path for path in source.iterdir() if path.is_file())}"
    for program in ("node", "npm"):  # even when installed: node runs it
        if shutil.which(program) is None:
            raise PeerMissing(f"{name} needs {program}: install Node.js 20 or later.")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        _run(name, _NPM, folder, "the package registry of npm has to be reachable")
        (folder / "complete").touch()
    return folder


def pgbench() -> Path:
    """The one beside the embedded server, else one on the path; raises PeerMissing."""
    beside = embedded_binaries() / "pgbench"
    if beside.exists():
        return beside
    found = shutil.which("pgbench")
    if found is None:
        raise PeerMissing("pgbench is not installed: install postgresql-contrib.")
    return Path(found)


def _run(name: str, command: tuple[str | Path, ...], folder: Path, advice: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS_MAX
        )
    except subprocess.TimeoutExpired as error:
        raise PeerMissing(f"{name} took over {_SECONDS_MAX:g} s to install: {advice}.") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise PeerMissing(f"{name} could not be installed: {advice}. {' '.join(said)[:200]}")


def _digest(paths: Iterable[Path]) -> str:
    contents = b"".join(path.read_bytes() for path in sorted(paths))
    return hashlib.sha256(contents + sys.version.encode()).hexdigest()[:12]
