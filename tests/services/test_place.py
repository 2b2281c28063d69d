"""A lease on a shared server: who starts it, who stops it."""

import threading
from pathlib import Path

import pytest

from tests.services import fixtures, place


class Recorded:
    """A server that only notes what is asked of it."""

    name = "recorded"

    def __init__(self) -> None:
        self.log: list[str] = []

    def elsewhere(self) -> str | None:
        return None

    def running(self, folder: Path) -> str | None:
        return "here" if (folder / "up").exists() else None

    def start(self, folder: Path) -> str:
        self.log.append("start")
        (folder / "up").touch()
        return "here"

    def stop(self, folder: Path) -> None:
        self.log.append("stop")
        (folder / "up").unlink()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    monkeypatch.setattr(place, "PLACE", tmp_path)
    return Recorded()


def test_the_first_user_starts_it_and_the_last_one_out_stops_it(server: Recorded):
    first, second = place.lease(server), place.lease(server)
    first.release()
    assert server.log == ["start"]
    second.release()
    assert server.log == ["start", "stop"]


def test_the_last_one_out_waits_for_another_that_is_just_ending(server: Recorded):
    first, second = place.lease(server), place.lease(server)
    ending = threading.Timer(0.3, second._users.close)  # as the end of its process does
    ending.start()
    first.release(wait_seconds_max=5)
    assert server.log == ["start", "stop"]


def test_a_server_that_a_person_started_is_kept(server: Recorded, tmp_path: Path):
    leased = place.lease(server)
    (tmp_path / "recorded" / "kept").touch()
    leased.release()
    assert server.log == ["start"]
    assert place.stop_if_unused(server)
    assert server.log == ["start", "stop"]


def test_a_server_in_use_is_not_stopped_but_no_longer_kept(server: Recorded):
    leased = place.lease(server)
    assert not place.stop_if_unused(server)
    leased.release()
    assert server.log == ["start", "stop"]


def test_a_server_of_somebody_else_is_never_stopped(
    server: Recorded, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "elsewhere", lambda: "there")
    place.lease(server).release()
    assert server.log == []


def test_a_missing_server_skips_a_test(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(fixtures.REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no room"), fixtures.or_skip("redis"):
        raise place.ServiceMissing("no room")


def test_under_scripts_test_a_missing_server_fails_the_test(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(fixtures.REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match="no room"), fixtures.or_skip("redis"):
        raise place.ServiceMissing("no room")
