"""`flamewire up` as the processes it is made of: any may die, and what is acknowledged stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.place import free_port
from tests.system.load import Load
from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RunningLedger]:
    """A ledger with two API processes."""
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_WORKERS": "2"}, as_typed=True)
    running.start()
    yield running
    running.stop()


def members(ledger: RunningLedger) -> list[psutil.Process]:
    """What the forking process has forked, the oldest first."""
    python = [it for it in psutil.Process(ledger.pid).children() if "postgres" not in it.name()]
    assert len(python) == 1, "the forking process"
    return sorted(python[0].children(), key=lambda it: it.create_time())


def api_and_backstage(ledger: RunningLedger) -> tuple[list[psutil.Process], psutil.Process]:
    """Only those that serve HTTP have the port open."""
    listening = [it for it in members(ledger) if has_port(it, ledger.port)]
    (backstage,) = [it for it in members(ledger) if it not in listening]
    return listening, backstage


def has_port(process: psutil.Process, port: int) -> bool:
    connections = process.net_connections("tcp")
    return any(it.laddr.port == port for it in connections if it.status == psutil.CONN_LISTEN)


def is_ready(client: httpx.Client) -> bool:
    return client.get("/health/ready").status_code == httpx.codes.OK


def kill(ledger: RunningLedger, victim: psutil.Process) -> None:
    victim.kill()
    eventually(lambda: not victim.is_running())


def goes_on(load: Load) -> None:
    before = len(load.acknowledged)
    eventually(lambda: len(load.acknowledged) > before + 20)


def all_there_once(ledger: RunningLedger, load: Load) -> None:
    lines = ledger.flamewire("replay", "--format", "jsonl", "--type", "payment.requested.v1").stdout
    recorded = [line.split('"stream_id": "')[1][:29] for line in lines.splitlines()]
    assert len(recorded) == len(set(recorded))
    assert set(load.acknowledged) <= set(recorded)
    ledger.flamewire("verify")


def test_whichever_process_dies_comes_back_and_nothing_acknowledged_is_lost(pair: RunningLedger):
    with Load(pair) as load, pair.client() as client:
        for _ in range(3):
            eventually(lambda: is_ready(client))
            kill(pair, members(pair)[0])  # the oldest, and so each of them once
            goes_on(load)
        eventually(lambda: is_ready(client))
    all_there_once(pair, load)
    said = [line for line in pair.output if "unexpectedly" in line]
    assert len(said) == 3
    assert not any("Traceback" in line for line in pair.output)


def test_a_payment_succeeds_after_the_backstage_was_killed(own_ledger: RunningLedger):
    with own_ledger.client() as client:
        payment = create_payment(client, "order-1")
        _, backstage = api_and_backstage(own_ledger)
        backstage.kill()
        assert eventually(lambda: client.get("/health/ready").status_code == 503)
        transfer = {"payment_intent_id": payment["id"]}
        paid = client.post("/v1/sandbox/transfers", json=transfer, headers={"Idempotency-Key": "1"})
        assert paid.is_success, paid.text
        payment_with_status(client, payment["id"], "succeeded")
        eventually(lambda: is_ready(client))


def test_both_api_processes_answer_on_one_port(pair: RunningLedger):
    (first, second), _ = api_and_backstage(pair)
    for asleep in (first, second):
        asleep.suspend()
        try:
            with pair.client() as client:
                create_payment(client, f"while {asleep.pid} sleeps")
        finally:
            asleep.resume()
    with pair.client() as client:
        eventually(lambda: is_ready(client))
        assert 'flamewire_processes{kind="api"} 2.0' in client.get("/metrics").text


def test_health_and_metrics_are_of_all_processes(own_ledger: RunningLedger):
    _, backstage = api_and_backstage(own_ledger)
    with own_ledger.client() as client:
        checks = client.get("/health/ready").json()["checks"]
        assert {"database", "broker", "api", "projector", "reactor", "chain ethereum"} <= set(
            checks
        )
        eventually(lambda: "flamewire_projection_position{" in client.get("/metrics").text)
        assert "flamewire_http_requests_total{" in client.get("/metrics").text
        backstage.suspend()
        try:
            answer = client.get("/health/ready")
            assert answer.status_code == 503
            assert not answer.json()["checks"]["backstage"]["ready"]
        finally:
            backstage.resume()
        eventually(lambda: is_ready(client))


def test_kill_9_of_the_first_process_ends_all_at_once_and_the_next_start_works(
    pair: RunningLedger,
):
    with Load(pair) as load:
        eventually(lambda: len(load.acknowledged) > 20)
        every = psutil.Process(pair.pid).children(recursive=True)
        ours = [it for it in every if "postgres" not in it.name()]
        assert len(ours) == 4, "the forking process, two of the API, the backstage"
        pair.kill()
        _, alive = psutil.wait_procs(ours, timeout=2)
        assert not alive
        pair.start()
        goes_on(load)
    _, alive = psutil.wait_procs(every, timeout=2)
    assert not alive
    all_there_once(pair, load)


def test_a_process_that_keeps_dying_is_given_up_with_a_sentence(own_ledger: RunningLedger):
    parent = psutil.Process(own_ledger.pid)
    every = parent.children(recursive=True)
    for _ in range(5):
        kill(own_ledger, eventually(lambda: two_members(own_ledger))[1])
    assert parent.wait(timeout=30) == 3
    last = own_ledger.output[-1]
    assert "backstage" in last
    assert "given up" in last
    _, alive = psutil.wait_procs(every, timeout=5)
    assert not alive


def two_members(ledger: RunningLedger) -> tuple[list[psutil.Process], psutil.Process] | None:
    try:
        return api_and_backstage(ledger) if len(members(ledger)) == 2 else None
    except (psutil.Error, ValueError):
        return None


def test_a_signal_to_the_members_is_no_stop(own_ledger: RunningLedger):
    """A service manager signals every process of a service: only the first one decides."""
    for member in members(own_ledger):
        member.send_signal(signal.SIGTERM)
        member.send_signal(signal.SIGINT)
    with own_ledger.client() as client:
        create_payment(client, "order-1")
        assert is_ready(client)


def test_serve_api_with_workers_answers_and_stops_in_order(database_url: str, tmp_path: Path):
    port = free_port()
    environment = {
        **os.environ, "FLAMEWIRE_DATABASE_URL": database_url, "FLAMEWIRE_PORT": str(port),
    }  # fmt: skip
    command = [sys.executable, "-m", "flamewire_ledger"]
    subprocess.run([*command, "migrate"], env=environment, check=True, timeout=60)
    with (tmp_path / "log").open("wb") as log:
        started = [*command, "serve", "api", "--workers", "2"]
        serving = subprocess.Popen(started, env=environment, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            eventually(lambda: is_ready(client), seconds=30)
            assert 'flamewire_processes{kind="api"} 2.0' in client.get("/metrics").text
        every = psutil.Process(serving.pid).children(recursive=True)
        serving.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert serving.wait(timeout=30) == 0
        assert time.monotonic() - began < 5
        _, alive = psutil.wait_procs(every, timeout=2)
        assert not alive
    finally:
        serving.kill()
        serving.wait(timeout=10)
