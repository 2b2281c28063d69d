"""`scripts/install` says what it lacks, and leaves nothing half made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install(folder: Path, python: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    (folder / "scripts").mkdir()
    for name in ("requirements.txt", "pyproject.toml", "scripts/install"):
        shutil.copy(ROOT / name, folder / name)
    environment = {**os.environ, "PYTHON": str(python), **changes}
    command = [shutil.which("bash") or "bash", folder / "scripts/install"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_a_python_it_says_what_to_do_and_leaves_nothing(tmp_path: Path):
    ran = install(tmp_path, tmp_path / "no-python")
    assert ran.returncode == 3
    assert "Python 3.11 or later is needed" in ran.stderr
    assert "PYTHON=" in ran.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_makes_no_environment_is_quoted_wherever_it_lies(tmp_path: Path):
    python = tmp_path / "of mine" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo "the disk is full"; exit 1; }\n')
    python.chmod(0o755)
    tools = tmp_path / "tools"  # and no apt-get, which would install a venv
    tools.mkdir()
    for name in ("dirname", "cat", "cksum", "flock", "id", "rm"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    ran = install(tmp_path, python, PATH=str(tools))
    assert ran.returncode == 3, ran.stderr
    assert "python3-venv" in ran.stderr
    assert "the disk is full" in ran.stderr
    assert not (tmp_path / ".venv").exists()
