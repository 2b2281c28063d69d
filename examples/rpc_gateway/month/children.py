"""The programs a demonstration needs, as child processes: a ledger, a node, a gateway.

Each says where it serves on its first lines; what it writes after that goes to a file in the
output folder. The ledger can be killed, as a power cut would, and started again on the same data.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

import httpx

READY_SECONDS_MAX: Final = 60
HERE: Final = Path(__file__).parents[1]
_URL: Final = re.compile(r"http://[0-9.:]+")
_KEY: Final = re.compile(r"fw_test_\S+")
# A credit for a cent.
CREDIT_PRICE: Final = Decimal("0.01")
_SETTINGS: Final = {
    "FLAMEWIRE_CREDIT_PRICE": str(CREDIT_PRICE),
    "FLAMEWIRE_SELLER_NAME": "RPC Gateway GmbH",
}


class Child:
    """A program that prints its URL when it serves."""

    def __init__(self, name: str, command: list[str], logs: Path, **environment: str) -> None:
        self.name = name
        self._command = command
        self._log = logs / f"{name}.log"
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self, *, ready_when: re.Pattern[str] = _URL) -> str:
        """Come back when it has said `ready_when`; what it said until then."""
        with self._log.open("ab") as log:
            begun = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            said = self._log.read_bytes()[begun:].decode()
            if ready_when.search(said) and (url := _URL.search(said)):
                self.url = url[0]
                return said
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{self.name} did not start:\n{said}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would end it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """As Ctrl-C would."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()


class LedgerProgram(Child):
    """`flamewire up` in a folder of its own, at a free port that it keeps."""

    def __init__(self, data: Path, logs: Path) -> None:
        beside = Path(sys.executable).with_name("flamewire")
        self._flamewire = str(beside) if beside.exists() else "flamewire"
        self._data = data
        command = [self._flamewire, "up", "--data-dir", str(data), "--port", "0"]
        super().__init__("ledger", command, logs, **_SETTINGS)
        self.key = ""

    def begin(self) -> None:
        said = self.start(ready_when=re.compile("Ctrl-C"))
        if (key := _KEY.search(said)) is not None:
            self.key = key[0]
        self._command[-1] = self.url.rpartition(":")[2]  # the same port after a restart
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise SystemExit(f"the ledger at {self.url} did not become ready")

    def flamewire(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of this ledger."""
        return subprocess.run(
            [self._flamewire, *arguments],
            env={**self._environment, "FLAMEWIRE_DATA_DIR": str(self._data)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def node(logs: Path) -> Child:
    """The stand-in for the nodes."""
    return Child("upstream", _own("upstream"), logs)


def gateway(logs: Path, ledger: LedgerProgram, upstream: Child, data: Path) -> Child:
    """The gateway between the two."""
    command = _own("gateway", "--ledger", ledger.url, "--upstream", upstream.url)
    command += ["--data", str(data), "--flush-seconds", "0.1"]
    return Child("gateway", command, logs, LEDGER_KEY=ledger.key)


def _own(command: str, *arguments: str) -> list[str]:
    return [sys.executable, "-u", str(HERE), command, "--port", "0", *arguments]
