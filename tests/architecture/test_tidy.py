"""Tidiness that import-linter and ruff cannot see: size, names, purity, and where SQL may live.

Each rule is a function that returns what offends it, so that it can be shown to catch something.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, files, functions, modules, name, parsed
from tests.services.place import ROOT

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
DEPTH_MAX = 2  # folders below the package
BANNED = {"base", "common", "core", "helpers", "manager", "service", "util", "utils"}

# Where time and chance come in; everywhere else they are handed over.
DOORS = ("wiring", "wiring.py")
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
CHANCE = {"uuid.uuid1", "uuid.uuid4", "uuid4", "uuid1"}

SQL = re.compile(
    r"^\s*(--.*\n\s*)*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+(AS\s+\S+\s+)?SET\s|DELETE\s+FROM\s"
    r"|WITH\s+\S+(\s*\(.*\))?\s+AS\s*(MATERIALIZED\s*)?\("
    r"|(CREATE|ALTER|DROP|TRUNCATE)\s+(OR\s+REPLACE\s+|UNIQUE\s+)?"
    r"(TABLE|INDEX|SCHEMA|FUNCTION|VIEW|DATABASE|TYPE)\s)"
)
# Joined here so that this file does not contain what it forbids.
MACHINE = [
    re.compile(pattern)
    for pattern in (
        r"\bpypi\." + r"org|pythonhosted\." + r"org",
        r"registry\.npm" + r"js\.org|registry\.yarnpkg\." + r"com",
        r"deb\.debian\." + r"org",
        r"(?<![\w.])/work" + r"/(main|shared|notes)",
        r"(?<![\w.])/root" + r"/",
        r"(?<![\w.])/home" + r"/[a-z]\w*/",
        r"\.pyenv" + r"/|site-packages" + r"/",
    )
]


def without_docstring(paths: Iterable[Path]) -> list[str]:
    return [name(path) for path in paths if not ast.get_docstring(parsed(path))]


def too_long(paths: Iterable[Path]) -> list[str]:
    counts = {path: len(path.read_text().splitlines()) for path in paths}
    return [f"{name(path)}: {count} lines" for path, count in counts.items() if count > LINES_MAX]


def long_functions(paths: Iterable[Path]) -> list[str]:
    return [
        f"{name(path)}:{function.lineno} {function.name}: {lines} lines"
        for path in paths
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]


def banned_names(paths: Iterable[Path]) -> list[str]:
    return [
        name(path)
        for path in paths
        if BANNED & {part.strip("_") for part in (path.stem, *path.relative_to(ROOT).parts)}
    ]


def impure(path: Path) -> list[str]:
    """Calls of a clock or of chance, and imports of `random`."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if any(called == bad or called.endswith(f".{bad}") for bad in CLOCKS | CHANCE):
                found.append(f"{path}:{node.lineno} {called}")
        elif isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names):
            found.append(f"{path}:{node.lineno} import random")
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            found.append(f"{path}:{node.lineno} from random import …")
    return found


def floats(path: Path) -> list[str]:
    """Literals and names that make a float."""
    return [
        f"{path}:{node.lineno}"
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]


def sql_strings(path: Path) -> list[str]:
    """Strings that are statements, f-strings too."""
    return [
        f"{path}:{node.lineno} {text.strip()[:60]!r}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.expr) and SQL.match(text := string(node))
    ]


def string(node: ast.expr) -> str:
    """The text of a literal, with a word in place of what an f-string fills in; else empty."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "" if "\\" in node.value else node.value  # a pattern, not a statement
    if isinstance(node, ast.JoinedStr):
        return "".join(string(part) or "filled" for part in node.values)
    return ""


def of_a_machine(text: str) -> list[str]:
    return [found.group() for pattern in MACHINE for found in pattern.finditer(text)]


def test_every_module_has_a_docstring():
    assert without_docstring(modules("src", "tests", "scripts")) == []


def test_no_file_is_longer_than_400_lines():
    assert too_long(modules("src", "tests", "scripts")) == []


def test_no_function_is_longer_than_60_lines():
    assert long_functions(modules("src", "tests", "scripts")) == []


def test_no_module_has_a_name_that_says_nothing():
    assert banned_names(modules("src", "tests")) == []


def test_the_package_is_at_most_two_folders_deep():
    deep = [
        name(path)
        for path in modules("src")
        if len(path.relative_to(PACKAGE).parent.parts) > DEPTH_MAX
    ]
    assert deep == []


def test_time_and_chance_come_in_at_the_door_only():
    inside = [path for path in modules("src") if path.relative_to(PACKAGE).parts[0] not in DOORS]
    assert [found for path in inside for found in impure(path)] == []


def test_money_never_touches_a_float():
    pure = modules("src/flamewire_ledger/domain", "src/flamewire_ledger/billing")
    assert pure, "there is a domain"
    assert [found for path in pure for found in floats(path)] == []


def test_sql_lives_in_sql_files():
    assert [found for path in modules("src") for found in sql_strings(path)] == []


def test_every_sql_statement_has_a_sentence():
    silent = [
        name(path)
        for path in files()
        if path.suffix == ".sql" and not path.read_text().lstrip().startswith("--")
    ]
    assert silent == []


def test_no_file_names_a_registry_or_a_path_of_one_machine():
    found = {}
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        if offences := of_a_machine(text):
            found[name(path)] = sorted(set(offences))
    assert found == {}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (impure, "import datetime\nx = datetime.datetime.now()\n"),
        (impure, "from uuid import uuid4\nx = uuid4()\n"),
        (impure, "from random import choice\n"),
        (floats, "rate = 0.1\n"),
        (floats, "rate = float('1')\n"),
        (sql_strings, "q = 'SELECT 1 FROM x'\n"),
        (sql_strings, "q = f'UPDATE {table} SET x = 1'\n"),
        (sql_strings, "q = '''\n  WITH fresh AS (SELECT 1) SELECT * FROM fresh'''\n"),
    ],
)
def test_each_rule_catches_what_it_forbids(rule, code: str, tmp_path: Path):
    planted = tmp_path / "planted.py"
    planted.write_text(code)
    assert rule(planted)


def test_long_files_and_functions_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.architecture.tree.ROOT", tmp_path)
    planted = tmp_path / "planted.py"
    planted.write_text("def long():\n" + "    pass\n" * LINES_MAX)
    assert too_long([planted])
    assert long_functions([planted])
    assert without_docstring([planted])


@pytest.mark.parametrize(
    "text", ["https://" + "pypi." + "org/simple", "see " + "/root" + "/x", "/work" + "/main/x"]
)
def test_a_path_of_one_machine_is_caught(text: str):
    assert of_a_machine(text)
