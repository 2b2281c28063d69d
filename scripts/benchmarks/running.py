"""The ledger that is measured: this file holds it running, on servers of its own, as its users run it.

Either the API alone (`flamewire serve api`: commands in, events out, nobody reads them) or all of it
(`flamewire up` with RabbitMQ). Both are child processes that are told by settings, as anybody's. The
merchant and its key are made by `flamewire keys create`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import httpx
import psutil

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.domain.merchant import merchant_id_of
from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.load.process import ROOT
from scripts.benchmarks.processes import Cost, cost, parts_of_ledger, tree
from scripts.benchmarks.servers import broker, postgres_server
from tests.services.place import free_port
from tests.services.rabbitmq import Broker

MERCHANT: Final = "bench"
_START_SECONDS_MAX: Final = 120.0
_STOP_SECONDS_MAX: Final = 60.0
_URL: Final = re.compile(r"http://(\S+):(\d+)")
_LEDGER: Final = "flamewire_ledger"


class Child:
    """A module of Python's that runs with arguments; what it says is kept for the day it fails."""

    def __init__(
        self, module_and_arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.command = " ".join(module_and_arguments)
        self.began = time.perf_counter()
        self.ready_seconds = 0.0  # from its start; for whoever waited for it
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", *module_and_arguments],
            env=None if environment is None else dict(environment),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def wait_until(self, question: Callable[[], bool], what: str) -> None:
        """Raises BenchmarkFailed when it ends or time is up before."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not question():
            if self._process.poll() is not None:
                raise BenchmarkFailed(f"{self.command} ended: {self.said[-3000:]}")
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{self.command}: {what} took too long: {self.said[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """As Ctrl-C would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise BenchmarkFailed(f"{self.command} did not stop: {self.said[-3000:]}") from None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            del self._lines[:-1000]


class RunningLedger:
    """A ledger that serves. `others` are the pids of the servers it uses, by part."""

    def __init__(
        self,
        environment: Mapping[str, str],
        children: Sequence[Child],
        addresses: Sequence[tuple[str, int]],
        others: Mapping[str, Callable[[], int]],
    ) -> None:
        self.environment = dict(environment)
        self._others = others
        self.children = children
        self.addresses = list(addresses)
        self.database_url = environment["FLAMEWIRE_DATABASE_URL"]
        self.amqp_url = environment.get("FLAMEWIRE_AMQP_URL")
        self.merchant_id = merchant_id_of(MERCHANT, livemode=False)
        self.key = ""
        self.rabbitmq: Broker | None = None

    def client(self) -> httpx.Client:
        host, port = self.addresses[0]
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=30)

    def flamewire(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same ledger, once it has ended, however."""
        return subprocess.run(
            [sys.executable, "-m", _LEDGER, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def costs(self) -> dict[str, Cost]:
        """What each part has cost so far."""
        return {part: cost(processes) for part, processes in self.parts().items()}

    def parts(self) -> dict[str, list[psutil.Process]]:
        """The processes that play each part now: of the ledger, and of the servers it uses."""
        pids = [child.pid for child in self.children]
        found = dict(parts_of_ledger(pids, self.database_url, self.amqp_url))
        return found | {part: tree(pid()) for part, pid in self._others.items()}


@contextmanager
def api_only(
    *, apis: int = 1, server: EmbeddedPostgres | None = None, key: str | None = None
) -> Iterator[RunningLedger]:
    """`apis` processes of `flamewire serve api`, each on a port of its own, over one database: of a
    server of its own, or of the caller's, which has to be migrated. With `key`, none is made.
    """
    with ExitStack() as stack:
        postgres = server or stack.enter_context(postgres_server())
        environment = _environment(stack, FLAMEWIRE_DATABASE_URL=postgres.url)
        key = key or _made_key(environment)
        children = []
        for _ in range(apis):
            child = Child([_LEDGER, "serve", "api", "--port", str(free_port())], environment)
            stack.callback(child.stop)
            children.append(child)
        addresses = [("127.0.0.1", int(child.command.rpartition(" ")[2])) for child in children]
        ledger = RunningLedger(environment, children, addresses, {"Postgres": lambda: postgres.pid})
        ledger.key = key
        for child, address in zip(children, addresses, strict=True):
            child.wait_until(lambda at=address: is_ready(at), "getting ready")  # type: ignore[misc]
            child.ready_seconds = time.perf_counter() - child.began
        yield ledger


@contextmanager
def everything(
    *, workers: int | None = None, rabbitmq: Broker | None = None
) -> Iterator[RunningLedger]:
    """`flamewire up` with a Postgres and a RabbitMQ of its own, or the broker given."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        rabbitmq = rabbitmq or stack.enter_context(broker())
        environment = _environment(
            stack,
            FLAMEWIRE_DATABASE_URL=server.url,
            FLAMEWIRE_AMQP_URL=rabbitmq.url,
            FLAMEWIRE_AMQP_PREFIX=f"bench-{os.getpid()}-",
        )
        with_workers = () if workers is None else ("--workers", str(workers))
        child = Child([_LEDGER, "up", "--port", "0", *with_workers], environment)
        stack.callback(child.stop)
        child.wait_until(lambda: _URL.search(child.said) is not None, "starting")
        found = _URL.search(child.said)
        assert found is not None
        address = (found[1], int(found[2]))
        child.wait_until(lambda: is_ready(address), "getting ready")
        others = {"Postgres": lambda: server.pid, "RabbitMQ": lambda: rabbitmq.pid}
        ledger = RunningLedger(environment, [child], [address], others)
        ledger.key, ledger.rabbitmq = _new_key(environment), rabbitmq
        yield ledger


def _environment(stack: ExitStack, **settings: str) -> dict[str, str]:
    """No setting of the person's who measures, so that two measure the same."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flamewire-bench-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLAMEWIRE_")}
    return {
        **kept,
        "FLAMEWIRE_DATA_DIR": folder,
        # Rate limits protect from others; here there is one client, and it wants to know.
        "FLAMEWIRE_REQUESTS_PER_MINUTE_MAX": "1000000000",
        **settings,
    }


def _made_key(environment: Mapping[str, str]) -> str:
    """A key, seen by the read model that the API looks it up in: projected, and then left alone."""
    projector = Child([_LEDGER, "serve", "projector"], environment)
    try:
        projector.wait_until(lambda: "is up" in projector.said, "starting")
        return _new_key(environment)
    finally:
        projector.stop()


def _new_key(environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", _LEDGER, "keys", "create", "--name", MERCHANT],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkFailed(f"flamewire keys create: {done.stderr}")
    return done.stdout.strip()


def answers(host: str, port: int) -> bool:
    """Whether anybody speaks HTTP there."""
    try:
        httpx.get(f"http://{host}:{port}/")
    except httpx.TransportError:
        return False
    return True


def is_ready(address: tuple[str, int]) -> bool:
    """Whether all of that ledger is up."""
    host, port = address
    try:
        return httpx.get(f"http://{host}:{port}/health/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
