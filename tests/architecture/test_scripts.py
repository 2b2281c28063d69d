"""What a person types works from a fresh clone: the scripts are there, sound, and cheap to repeat."""

import os
import re
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from tests.services.place import ROOT

PROMISED = {"run", "test", "install", "check", "format", "services", "bench", "simulate", "schemas"}
SCRIPTS = sorted(
    [path for path in (ROOT / "scripts").iterdir() if path.is_file() and path.suffix != ".py"]
    + [ROOT / ".ci" / "run"]
)
SHELL = [path for path in SCRIPTS if "bash" in path.read_text().splitlines()[0]]


def test_every_promised_script_is_there():
    assert PROMISED - {path.name for path in SCRIPTS} == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_says_what_it_is_for(script: Path):
    assert os.access(script, os.X_OK)
    first, second = script.read_text().splitlines()[:2]
    assert first.startswith("#!/usr/bin/env ")
    assert re.match(r'# \w|"""\w', second)


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_a_shell_script_is_sound(script: Path):
    subprocess.run(["bash", "-n", script], check=True)


def test_installing_again_costs_next_to_nothing():
    subprocess.run([ROOT / "scripts" / "install"], check=True)
    began = time.monotonic()
    subprocess.run([ROOT / "scripts" / "install"], check=True)
    assert time.monotonic() - began < 2  # 0.01 s on an idle machine


def test_the_lock_has_every_direct_dependency_at_its_pin_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    lock = (ROOT / "requirements.txt").read_text()
    for requirement in wanted:
        unconditional = requirement.partition(";")[0]
        name, _, version = re.sub(r"\[.*?\]", "", unconditional).partition("==")
        assert version, f"{requirement} is not pinned"
        line = re.compile(
            rf"^{re.escape(name)}(\[.*?\])?=={re.escape(version)} ", re.MULTILINE | re.IGNORECASE
        )
        assert line.search(lock), f"run scripts/lock: {requirement} is not in requirements.txt"
    packages = re.findall(r"^[A-Za-z0-9].*$", lock, flags=re.MULTILINE)
    assert [line for line in packages if not line.endswith("\\")] == [], "every one has hashes"


def test_ci_runs_the_checks_and_the_tests():
    commands = (ROOT / ".ci" / "run").read_text()
    assert "scripts/check" in commands
    assert "scripts/test" in commands
