"""The Postgres that `flamewire up` brings: starting, ending, and what gets in the way."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from flamewire_ledger.cli import postgres_files, postgres_status, unprivileged
from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.postgres_errors import (
    DataDirectoryInUse,
    DataDirectoryOfOtherVersion,
    DataDirectoryUnreachable,
    DiskFull,
    PortTaken,
    PostgresDidNotStart,
)
from flamewire_ledger.cli.postgres_status import is_postgres_in, read_status, running_url
from tests.services.place import is_alive, wait_until

FAST = {"fsync": "off"}

START_AND_WAIT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
    server = EmbeddedPostgres(
        Path(sys.argv[1]), settings={"fsync": "off"}, outlives_parent=sys.argv[2] == "outlives"
    )
    print(server.start(), server.pid, flush=True)
    time.sleep(60)
""")


class Owner:
    """Another process that has a server, to be killed."""

    def __init__(self, directory: Path, mode: str = "ends") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START_AND_WAIT, str(directory), mode],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url, pid = self.process.stdout.readline().split()
        self.server_pid = int(pid)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "postgres"


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory, settings=FAST)
    yield server
    server.stop()


def remember(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS remembered (number int)")
        connection.execute("INSERT INTO remembered VALUES (%s)", (number,))


def remembered(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM remembered ORDER BY 1")]


def test_what_was_committed_is_there_after_a_stop_and_a_start(server: EmbeddedPostgres):
    remember(server.start(), 1)
    server.stop()
    assert remembered(server.start()) == [1]


def test_starting_twice_changes_nothing(server: EmbeddedPostgres):
    assert server.start() == server.start()


def test_a_killed_server_is_started_again_at_the_same_url(server: EmbeddedPostgres):
    url = server.start()
    remember(url, 1)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_running, 10, "the end of the server")
    assert server.start() == url
    assert remembered(url) == [1]


def test_the_thread_that_started_it_may_end(server: EmbeddedPostgres):
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    time.sleep(0.2)
    assert remembered_nothing(server.url)


def test_others_find_the_running_server_by_its_directory(server: EmbeddedPostgres, directory: Path):
    assert running_url(directory) is None
    url = server.start()
    assert running_url(directory) == url
    server.stop()
    assert running_url(directory) is None


def test_it_wants_the_password_that_only_the_owner_can_read(
    server: EmbeddedPostgres, directory: Path
):
    url = server.start()
    password = (directory / "password").read_text()
    assert (directory / "password").stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "guess"))
    assert password not in (directory / "server.log").read_text()


def test_a_refused_statement_does_not_bring_its_data_into_the_log(
    server: EmbeddedPostgres, directory: Path
):
    with psycopg.connect(server.start()) as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT 'a-secret'::int")
    assert "a-secret" not in (directory / "server.log").read_text()


def test_a_directory_in_use_is_refused_in_one_sentence(directory: Path, server: EmbeddedPostgres):
    server.start()
    with pytest.raises(DataDirectoryInUse, match=f"in use by process {os.getpid()}: stop"):
        EmbeddedPostgres(directory).start()


def test_the_server_ends_with_an_owner_that_is_killed(directory: Path, server: EmbeddedPostgres):
    owner = Owner(directory)
    remember(owner.url, 1)
    owner.kill()
    wait_until(lambda: not is_alive(owner.server_pid), 20, "the end of the server")
    assert remembered(server.start()) == [1]


def test_an_orphan_is_stopped_cleanly_and_its_data_taken_over(
    directory: Path, server: EmbeddedPostgres
):
    owner = Owner(directory, "outlives")
    remember(owner.url, 1)
    owner.kill()
    assert is_alive(owner.server_pid)
    assert remembered(server.start()) == [1]
    assert not is_alive(owner.server_pid)


def test_a_stale_note_that_names_a_stranger_does_not_mislead(
    directory: Path, server: EmbeddedPostgres
):
    server.start()
    note = directory / "data" / "postmaster.pid"
    lines = note.read_text().splitlines()
    server.stop()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]))  # says "ready", and names us
    status = read_status(directory / "data")
    assert status is not None
    assert status.is_ready
    assert not is_postgres_in(directory / "data", status.pid)
    server.start()
    assert remembered_nothing(server.url)


def remembered_nothing(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_without_proc_the_command_line_tells_whose_server_it_is(
    directory: Path, server: EmbeddedPostgres
):
    server.start()
    assert postgres_status._command_names(directory / "data", server.pid)
    assert not postgres_status._command_names(directory / "data", os.getpid())


def test_half_made_files_are_made_again(directory: Path, server: EmbeddedPostgres):
    unfinished = directory / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    remember(server.start(), 1)
    assert remembered(server.url) == [1]


def test_a_taken_port_is_named(directory: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            EmbeddedPostgres(directory, port=port, settings=FAST).start()


def test_after_a_refused_start_the_directory_is_free_again(
    directory: Path, server: EmbeddedPostgres
):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortTaken):
        EmbeddedPostgres(directory, port=other.getsockname()[1], settings=FAST).start()
    server.start()


def test_files_of_another_version_are_refused_with_what_to_do(
    directory: Path, server: EmbeddedPostgres
):
    server.start()
    server.stop()
    (directory / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(DataDirectoryOfOtherVersion, match=r"written by Postgres 15 .* restore"):
        server.start()


def test_an_unknown_reason_shows_the_last_word_of_the_log(directory: Path):
    server = EmbeddedPostgres(directory, settings={**FAST, "no_such_setting": "1"})
    with pytest.raises(PostgresDidNotStart, match="no_such_setting"):
        server.start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 70 MB: room to begin, too little to finish."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_called_so_before_anything_is_made(small_disk: Path):
    (small_disk / "filler").write_bytes(bytes(60_000_000))
    with pytest.raises(DiskFull, match="no space left for the database"):
        EmbeddedPostgres(small_disk / "postgres", settings=FAST).start()


def test_a_disk_that_fills_up_on_the_way_is_called_so(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres_files, "_DISK_FREE_BYTES_MIN", 0)
    (small_disk / "filler").write_bytes(bytes(40_000_000))
    with pytest.raises(DiskFull, match="no space left for the database"):
        EmbeddedPostgres(small_disk / "postgres", settings=FAST).start()
    (small_disk / "filler").unlink()
    with EmbeddedPostgres(small_disk / "postgres", settings=FAST) as server:
        remember(server.url, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change to another account")
def test_without_namespaces_it_runs_under_a_system_account(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unprivileged, "namespaces_work", lambda user: False)
    directory = Path("/var/tmp") / f"flamewire-test-{os.getpid()}"
    try:
        with EmbeddedPostgres(directory, settings=FAST) as server:
            remember(server.url, 1)
            assert (directory / "data").stat().st_uid != 0
            assert (directory / "password").stat().st_mode & 0o077 == 0
        monkeypatch.undo()
        with EmbeddedPostgres(directory, settings=FAST) as server:  # and back, in a namespace
            assert remembered(server.url) == [1]
    finally:
        subprocess.run(["rm", "-rf", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change to another account")
def test_without_namespaces_a_closed_folder_above_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(unprivileged, "namespaces_work", lambda user: False)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DataDirectoryUnreachable, match="choose a --data-dir"):
        EmbeddedPostgres(closed / "postgres", settings=FAST).start()
