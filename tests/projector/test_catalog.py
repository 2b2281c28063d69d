"""What may be wrong with a folder is said when it is read."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flamewire_ledger.projector.catalog import CatalogError, UnknownProjection, load_catalog
from flamewire_ledger.queries.statements import all_queries, projections_root
from flamewire_ledger.store.codec import Codec
from tests.projector.notes import FILES, notes, only

ROOT = Path(__file__).parents[2]


def test_the_shipped_folders_are_right() -> None:
    catalog = load_catalog(Codec().classes)
    assert "payment_status" in catalog.names
    assert all_queries()["payment_by_id"].sentence


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "projection.toml",
            '"note.torn.v1"',
            '"note.lost.v1"',
            "note.lost.v1, which nobody records",
        ),
        ("projection.toml", '"notes"', '"other"', "calls itself other"),
        ("projection.toml", '"note_id"', '"number"', "has no field number to be its key"),
        ("projection.toml", "version = 1", "version = 0", "begin with 1"),
        ("projection.toml", "version = 1", "verson = 1", "verson"),
        ("projection.toml", "answers", 'joins = ["nobody"]\nanswers', "joins nobody"),
        ("schema.sql", "CREATE TABLE notes_v1", "CREATE TABLE notes", "must end in _v1"),
        ("schema.sql", "CREATE INDEX notes_v1_by", "CREATE INDEX by", "does not name its table"),
        ("schema.sql", "CREATE INDEX", "DROP INDEX", "only CREATE TABLE and CREATE INDEX"),
        ("project.sql", "on: note.torn.v1", "on: note.gone.v1", "note.gone.v1, which it does not"),
        ("project.sql", "on: note.torn.v1", "on: note.changed.v1", "note.torn.v1 and ignores it"),
        ("project.sql", "-- on: note.torn.v1", "-- note torn", "without a name"),
        ("queries.sql", "ORDER BY note_id;", "ORDER BY note_id", "has no end"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    assert old in FILES[file]
    with pytest.raises(CatalogError, match=said):
        notes(tmp_path, **{file.replace(".", "_"): FILES[file].replace(old, new)})


def test_a_folder_without_one_of_its_files_is_refused(tmp_path: Path) -> None:
    notes(tmp_path)
    (tmp_path / "notes" / "queries.sql").unlink()
    with pytest.raises(CatalogError, match=r"no queries\.sql"):
        load_catalog({}, tmp_path)


def test_the_fingerprint_follows_what_decides_the_rows(tmp_path: Path) -> None:
    before = only(notes(tmp_path)).fingerprint
    asked = FILES["queries.sql"].replace("every note", "all of them")
    assert only(notes(tmp_path, queries_sql=asked)).fingerprint == before
    schema = FILES["schema.sql"].replace("integer NOT NULL,", "bigint NOT NULL,", 1)
    assert only(notes(tmp_path, schema_sql=schema)).fingerprint != before


def test_a_name_nobody_has_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownProjection, match="there are notes"):
        notes(tmp_path).get("letters")


@pytest.mark.slow
def test_the_wheel_carries_the_folders(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "uv",
        "build",
        "--wheel",
        "--out-dir",
        str(tmp_path),
        str(ROOT),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    for folder in (entry for entry in Path(str(projections_root())).iterdir() if entry.is_dir()):
        assert f"flamewire_ledger/projections/{folder.name}/project.sql" in packed
    assert "flamewire_ledger/projector/checkpoint.sql" in packed
