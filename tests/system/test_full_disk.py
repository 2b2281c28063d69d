"""The disk is full: commands wait or are refused with a sentence, and room is all it takes to go on."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.running_ledger import RunningLedger, create_payment, eventually


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 260 MB: room for a new ledger, and not for much more."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only who may mount can have a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            return


def test_a_full_disk_is_a_delay_and_no_loss(small_disk: Path):
    ledger = RunningLedger(small_disk / "data")
    ledger.start()
    answers: list[httpx.Response] = []

    def ask(key: str) -> None:
        body = {"amount": "25.00", "currency": "USD"}
        with ledger.client() as client:
            headers = {"Idempotency-Key": key}
            answers.append(
                client.post("/v1/payment_intents", json=body, headers=headers, timeout=90)
            )

    try:
        with ledger.client() as client:
            create_payment(client, "before")
            _fill(small_disk / "filler")
            waiting = [threading.Thread(target=ask, args=(f"full-{n}",)) for n in range(5)]
            for thread in waiting:
                thread.start()
            eventually(lambda: "disk is full" in "".join(ledger.output))
            assert client.get("/v1/payment_intents").status_code == httpx.codes.OK
            (small_disk / "filler").unlink()
            for thread in waiting:
                thread.join()
            assert {answer.status_code for answer in answers} == {201}
            create_payment(client, "after")
            ids = {answer.json()["id"] for answer in answers}
            listed = {it["id"] for it in client.get("/v1/payment_intents?limit=100").json()["data"]}
            assert ids <= listed
            assert len(listed) == 7
        ledger.flamewire("verify")
    finally:
        ledger.stop()
