"""What an operator does to a ledger, on purpose or not: nothing acknowledged is lost, and every end is one sentence."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from flamewire_ledger.cli.postgres_status import read_status
from tests.system.command_line import flamewire
from tests.system.load import Load
from tests.system.running_ledger import RunningLedger, create_payment, eventually


def _up(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return flamewire(["up"], {**os.environ, **environment})


def _is_one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


def test_a_second_ledger_on_the_same_data_is_refused(ledger: RunningLedger):
    second = _up({"FLAMEWIRE_DATA_DIR": str(ledger.data_dir), "FLAMEWIRE_PORT": "0"})
    assert second.returncode == 3
    assert _is_one_sentence(second.stderr)
    with ledger.client() as client:
        assert client.get("/health/ready").status_code == 200


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = _up({"FLAMEWIRE_DATA_DIR": str(tmp_path / "data"), "FLAMEWIRE_PORT": port})
    assert ended.returncode == 3
    assert _is_one_sentence(ended.stderr)
    assert port in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLAMEWIRE_PORT", "eighty"),
        ("FLAMEWIRE_DATABASE_URL", "mysql://user:very-secret@127.0.0.1/x"),
        ("FLAMEWIRE_CREDIT_PRICE", "-1"),
        ("FLAMEWIRE_LATE_POLICY", "forgive"),
        ("FLAMEWIRE_NETWORKS_FILE", "/nowhere/networks.toml"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(name: str, value: str, tmp_path: Path):
    ended = _up({"FLAMEWIRE_DATA_DIR": str(tmp_path / "data"), name: value})
    assert ended.returncode == 2
    assert _is_one_sentence(ended.stderr)
    assert name in ended.stderr or value in ended.stderr
    assert "very-secret" not in ended.stderr


def test_a_command_without_a_ledger_says_how_to_start_one(tmp_path: Path):
    ended = flamewire(["verify"], {**os.environ, "FLAMEWIRE_DATA_DIR": str(tmp_path / "none")})
    assert ended.returncode == 3
    assert "flamewire up" in ended.stderr


def test_ctrl_c_leaves_nothing_running(own_ledger: RunningLedger):
    children = psutil.Process(own_ledger.pid).children(recursive=True)
    assert children, "the database is a child"
    assert own_ledger.stop() == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def _all_there_once(ledger: RunningLedger, load: Load) -> None:
    assert len(load.acknowledged) > 10
    lines = ledger.flamewire("replay", "--format", "jsonl", "--type", "payment.requested.v1")
    recorded = re.findall(r'"stream_id": "(pi_[0-9a-z]+)"', lines.stdout)
    assert len(recorded) == len(set(recorded))
    assert set(load.acknowledged) <= set(recorded)
    ledger.flamewire("verify")


def test_kill_9_of_the_ledger_under_load_loses_and_doubles_nothing(own_ledger: RunningLedger):
    with Load(own_ledger) as load:
        eventually(lambda: len(load.acknowledged) > 20)
        own_ledger.kill()
        own_ledger.start()
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) > before + 20)
    _all_there_once(own_ledger, load)


def test_kill_9_of_postgres_under_load_loses_and_doubles_nothing(own_ledger: RunningLedger):
    status = read_status(own_ledger.data_dir / "postgres" / "data")
    assert status is not None
    with Load(own_ledger) as load:
        eventually(lambda: len(load.acknowledged) > 20)
        os.kill(status.pid, signal.SIGKILL)
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) > before + 20, seconds=40)
    _all_there_once(own_ledger, load)


def test_no_key_and_no_password_is_ever_written(tmp_path: Path):
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_LOG_LEVEL": "debug"})
    ledger.start()
    try:
        with ledger.client() as client:
            create_payment(client, "order-1")
            client.get(
                "/v1/payment_intents", headers={"Authorization": "Bearer fw_test_" + "x" * 43}
            )
        password = urlsplit(_database_url(ledger)).password
        assert password
        printed = "".join(ledger.output)
        assert printed.count(ledger.key) == 1, "shown once, when it was made"
        assert password not in printed
        events = ledger.flamewire("replay", "--format", "jsonl").stdout
        assert ledger.key not in events
    finally:
        ledger.stop()


def _database_url(ledger: RunningLedger) -> str:
    from flamewire_ledger.cli.postgres_status import running_url

    url = running_url(ledger.data_dir / "postgres")
    assert url is not None
    return url
