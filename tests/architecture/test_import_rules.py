"""The import rules hold, and each of them catches what it is for: a violation is planted for each."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import PACKAGE
from tests.services.place import ROOT

# For each rule: the file that offends it, and how. The text goes at the end of the file.
PLANTS = {
    "flow": ("domain/money.py", "import flamewire_ledger.store.event_store"),
    "pure": ("domain/money.py", "import time"),
    "aggregates": ("domain/invoice/facts.py", "import flamewire_ledger.domain.merchant"),
    "adapters": ("api/problems.py", "import flamewire_ledger.store.postgres"),
    "outside": ("chains/sandbox/chain.py", "import flamewire_ledger.chains.ethereum"),
    "reading": ("queries/__init__.py", "import flamewire_ledger.commands.batch"),
    "delivery": ("projector/__init__.py", "import flamewire_ledger.prices.feed"),
    "cycles": ("store/event_store.py", "import flamewire_ledger.store.memory"),
}


def contracts() -> dict[str, dict[str, Any]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract for contract in listed}


def lint(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree below `checkout`, not on the one that is installed."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()",
         "--no-cache", "--no-logo", *options],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tree, in which the rules hold for as long as they hold in ours."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    return checkout


def test_the_import_rules_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_planted_violation():
    assert set(contracts()) == set(PLANTS)


@pytest.mark.parametrize("rule", sorted(PLANTS))
def test_a_planted_violation_is_caught(rule: str, copy: Path):
    file, violation = PLANTS[rule]
    planted = copy / "src" / "flamewire_ledger" / file
    clean = planted.read_text()
    planted.write_text(f"{clean}\n{violation}\n")
    try:
        done = lint(copy, "--contract", rule)
    finally:
        planted.write_text(clean)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contracts()[rule]['name']} BROKEN" in done.stdout


# What the concrete ones in each folder share; everything else there is a concrete one.
SHARED = {
    "chains": {
        "accounts",
        "addresses",
        "answers",
        "catching_up",
        "chain",
        "detection",
        "endpoints",
        "finality",
        "follow",
        "forwarders",
        "networks",
        "observation",
        "pace",
        "portions",
        "progress",
        "quorum",
        "reorganisation",
        "standing",
        "telling",
    },
    "prices": {
        "asking",
        "board",
        "feed",
        "median",
        "pace",
        "shared",
        "source",
        "stand_in",
        "standing",
    },
    "signatures": {"curves", "scheme", "text", "verifier"},
}


def concrete(folder: str) -> set[str]:
    """The adapters in a folder of the package, as import-linter names them."""
    inside = PACKAGE / folder
    stems = {path.stem for path in inside.glob("*.py")} if inside.is_dir() else set()
    stems |= {path.parent.name for path in inside.glob("*/__init__.py")}
    stems -= SHARED[folder] | {"__init__"}
    return {f"flamewire_ledger.{folder}.{stem}" for stem in stems}


@pytest.mark.parametrize("folder", sorted(SHARED))
def test_whatever_is_new_outside_has_its_place_in_the_rules(folder: str):
    rules = contracts()
    unplaced = concrete(folder) - set(rules["outside"]["modules"])
    assert unplaced == set(), (
        "add them to the contract `outside`, or to SHARED here if they serve all"
    )
    assert concrete(folder) - set(rules["adapters"]["protected_modules"]) == set()


@pytest.mark.parametrize(
    ("rule", "listed", "folders"),
    [
        ("pure", "source_modules", ["domain", "billing"]),
        ("delivery", "forbidden_modules", ["chains", "prices", "signatures", "webhooks"]),
    ],
)
def test_a_folder_is_under_its_rule_from_the_day_it_exists(
    rule: str, listed: str, folders: list[str]
):
    present = {f"flamewire_ledger.{name}" for name in folders if (PACKAGE / name).exists()}
    assert present - set(contracts()[rule][listed]) == set()
