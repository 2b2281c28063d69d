"""The wheel is the whole ledger: installed elsewhere, it finds its projections and schemas."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.services.place import ROOT


def folders(where: Path) -> set[str]:
    return {path.name for path in where.iterdir() if path.is_dir()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel installed, which borrows the dependencies from ours."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True, with_pip=False)
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps",
         "--python", home / "bin" / "python", wheel],
        check=True,
    )  # fmt: skip
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home


def run(*command: str | Path) -> str:
    return subprocess.run(
        command, cwd="/", env={}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_wheel_holds_the_projections_the_schemas_and_the_sql(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for source, packaged in (
        (ROOT / "projections", "flamewire_ledger/projections"),
        (ROOT / "schemas", "flamewire_ledger/schemas"),
        (ROOT / "src" / "flamewire_ledger", "flamewire_ledger"),
    ):
        wanted = {
            f"{packaged}/{path.relative_to(source).as_posix()}"
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert wanted - names == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "flamewire_ledger/py.typed" in names


def test_installed_elsewhere_it_is_the_wheel_that_runs(elsewhere: Path):
    code = "import flamewire_ledger; print(flamewire_ledger.__file__)"
    assert str(ROOT) not in run(elsewhere / "bin" / "python", "-c", code)


def test_installed_elsewhere_it_finds_every_projection(elsewhere: Path):
    found = run(
        elsewhere / "bin" / "python",
        "-c",
        "from flamewire_ledger.projector.catalog import projections_root\n"
        "root = projections_root()\n"
        "print(root, *(entry.name for entry in root.iterdir() if entry.is_dir()))",
    )
    root, *names = found.split()
    assert Path(root).is_relative_to(elsewhere)
    assert set(names) == folders(ROOT / "projections")
    assert names


def test_installed_elsewhere_the_command_line_answers(elsewhere: Path):
    helped = run(elsewhere / "bin" / "flamewire", "--help")
    for command in ("up", "serve", "migrate", "keys", "replay", "verify"):
        assert command in helped
