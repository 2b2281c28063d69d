"""What the code imports is declared in pyproject.toml, not found there by luck."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator

from tests.architecture.tree import modules, parsed
from tests.services.place import ROOT

OURS = {"flamewire_ledger", "scripts", "tests"}
NEWER = {"compression"}  # of the standard library of a Python that is newer than ours


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=]", name)[0]).lower()


def declared(*, dev: bool) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {normal(requirement) for requirement in project["dependencies"]}
    for extra, requirements in project["optional-dependencies"].items():
        if dev or extra != "dev":
            names |= {normal(requirement) for requirement in requirements}
    return names


def imported(*folders: str) -> Iterator[tuple[str, str]]:
    """(distribution, where) of every import of something from outside."""
    providers = importlib.metadata.packages_distributions()
    for path in modules(*folders):
        if (path.parent / "requirements.txt").exists():
            continue  # a program with an environment of its own
        for node in ast.walk(parsed(path)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names | OURS | NEWER:
                    continue
                for provider in providers.get(top, [f"nobody provides {top}"]):
                    yield normal(provider), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_everything_imported_is_declared():
    undeclared = {
        f"{name} at {where}" for name, where in imported("src") if name not in declared(dev=False)
    }
    assert undeclared == set()
    undeclared = {
        f"{name} at {where}"
        for name, where in imported("tests", "scripts")
        if name not in declared(dev=True)
    }
    assert undeclared == set()
