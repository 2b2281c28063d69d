"""`flamewire up` as a child process, the way a user runs it, and a client for its API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.system.command_line import Forked, Process, flamewire

READY_SECONDS_MAX = 60
_URL = re.compile(r"http://\S+")
_KEY = re.compile(r"fw_test_\S+")
T = TypeVar("T")


class RunningLedger:
    """A ledger in a folder; it can be killed and started again on the same data and port."""

    def __init__(
        self,
        data_dir: Path,
        environment: Mapping[str, str] | None = None,
        *,
        as_typed: bool = False,
    ) -> None:
        """`as_typed`: by a shell, from the first module it reads; else forked from a process that has read them."""
        self.data_dir = data_dir
        self._as_typed = as_typed
        self.url = ""
        self.key = ""
        self.port = 0
        self.output: list[str] = []
        self._environment = {
            **os.environ,
            **(environment or {}),
            "FLAMEWIRE_DATA_DIR": str(data_dir),
        }
        self._process: Process | None = None

    def start(self, *, wait_until_ready: bool = True) -> None:
        """Come back when it says where it serves, and that all of it does."""
        self.output = []
        arguments = ["up", "--port", str(self.port)]
        if self._as_typed:
            self._process = self._typed(arguments)
        else:
            hear = self.output.append
            self._process = Forked(arguments, self._environment, hear, hear)
        eventually(self._announced, seconds=READY_SECONDS_MAX)
        self.port = int(self.url.rsplit(":", 1)[1])
        if not wait_until_ready:
            return
        with httpx.Client() as client:
            eventually(lambda: client.get(f"{self.url}/health/ready").status_code == 200)

    def _typed(self, arguments: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "flamewire_ledger", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=_listen, args=(process, self.output), daemon=True).start()
        return process

    def _announced(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError("flamewire up ended: " + "".join(self.output))
        text = "".join(self.output)
        if (found := _URL.search(text)) is None or "Ctrl-C" not in text:
            return False
        self.url = found[0]
        if (key := _KEY.search(text)) is not None:
            self.key = key[0]
        return True

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=30)

    def stop(self) -> int:
        """As Ctrl-C would; the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def flamewire(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Another command of the same ledger."""
        done = flamewire(arguments, self._environment)
        if check and done.returncode:
            raise AssertionError(
                f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done


def _listen(process: subprocess.Popen[str], output: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line)


def eventually(question: Callable[[], T], *, seconds: float = 20) -> T:
    """Ask until the answer is truthy, and return it; AssertionError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = question()
        except httpx.TransportError:
            answer = None
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {question}")
        time.sleep(0.05)


def create_payment(client: httpx.Client, key: str, **fields: Any) -> dict[str, Any]:
    """A payment intent of 25 USD, unless said otherwise."""
    body = {"amount": "25.00", "currency": "USD", **fields}
    answer = client.post("/v1/payment_intents", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def payment_with_status(client: httpx.Client, payment_id: str, status: str) -> dict[str, Any]:
    """Wait until the payment has this status."""

    def look() -> dict[str, Any] | None:
        body = client.get(f"/v1/payment_intents/{payment_id}").json()
        return body if body["status"] == status else None

    return eventually(look)  # type: ignore[return-value]
