"""`scripts/install` says what it lacks, and leaves nothing half made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_without_a_python_it_says_what_to_do_and_leaves_nothing(tmp_path: Path):
    (tmp_path / "scripts").mkdir()
    for name in ("requirements.txt", "pyproject.toml", "scripts/install"):
        shutil.copy(ROOT / name, tmp_path / name)
    environment = {**os.environ, "PYTHON": str(tmp_path / "no-python")}
    ran = subprocess.run(
        [tmp_path / "scripts/install"], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 3
    assert "Python 3.11 or later is needed" in ran.stderr
    assert "PYTHON=" in ran.stderr
    assert not (tmp_path / ".venv").exists()
