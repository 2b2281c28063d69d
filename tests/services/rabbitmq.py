"""RabbitMQ for tests: one shared broker, started without systemd, and brokers to kill.

Order: FLAMEWIRE_TEST_AMQP_URL, then one on 5672 that lets `guest` in, then Debian's package, which
is installed when we are root. A broker takes 5 to 20 s to start, so one is shared, and names in it
carry the test's own `amqp_prefix`. To see an outage, cut the line to it: `amqp_link`.

What bites: the wrapper in /usr/sbin insists on an account of its own, so the program below
/usr/lib is used; without a cookie file that only we can read the node ends with exit code 0; and
epmd, the name server it starts, outlives it, so each broker gets an epmd of its own to end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.services.place import (
    PLACE,
    ServiceMissing,
    end,
    free_port,
    listens,
    locked,
    read_pid,
    remove,
    wait_until,
)

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_SECONDS_MAX = 90
_INSTALL_SECONDS_MAX = 280
_POLICY = Path("/usr/sbin/policy-rc.d")


class SharedRabbitMQ:
    """The broker all test processes share."""

    name = "rabbitmq"

    def elsewhere(self) -> str | None:
        url = os.environ.get("FLAMEWIRE_TEST_AMQP_URL")
        if url:
            return url
        return "amqp://guest:guest@127.0.0.1:5672/" if listens(5672) and _greets(5672) else None

    def running(self, folder: Path) -> str | None:
        if read_pid(folder / "pid", str(folder)) is None:
            return None
        return _url(int((folder / "port").read_text()))

    def start(self, folder: Path) -> str:
        # Queues that an earlier run left would only slow the start.
        remove(folder / "mnesia")
        broker = Broker(folder)
        broker.start()
        (folder / "pid").write_text(str(broker.pid))
        (folder / "port").write_text(str(broker.port))
        (folder / "epmd").write_text(str(broker.epmd_port))
        return broker.url

    def stop(self, folder: Path) -> None:
        pid = read_pid(folder / "pid", str(folder))
        if pid is not None:
            end(pid, signal.SIGTERM)
            _end_epmd(int((folder / "epmd").read_text()))


class Broker:
    """A broker with its files in `folder`: the shared one, or one of a test's own, to kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.epmd_port = free_port()
        self._dist_port = free_port()
        self._node: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return _url(self.port)

    @property
    def pid(self) -> int:
        assert self._node is not None, "the broker is not running"
        return self._node.pid

    def start(self) -> str:
        """Start it, again after kill(); durable queues and what was in them are there."""
        ensure_installed()
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "server.log").open("ab") as log:
            self._node = subprocess.Popen(
                [str(_PROGRAM)],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_up, _START_SECONDS_MAX, "RabbitMQ", poll_seconds=0.1)
        except TimeoutError as error:
            self.stop()
            raise ServiceMissing(f"{error}: read {self._folder}/server.log") from error
        return self.url

    def kill(self) -> None:
        """kill -9 of the whole node."""
        if self._node is not None:
            os.killpg(self._node.pid, signal.SIGKILL)
            self._node.wait(10)
            self._node = None

    def stop(self) -> None:
        if self._node is not None:
            end(self._node.pid, signal.SIGTERM)
            self._node = None
        _end_epmd(self.epmd_port)

    def _is_up(self) -> bool:
        assert self._node is not None
        code = self._node.poll()
        if code is not None:
            raise ServiceMissing(
                f"RabbitMQ ended with exit code {code}: read {self._folder}/server.log"
            )
        return _greets(self.port)

    def _environment(self) -> dict[str, str]:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
        configuration = self._folder / "rabbitmq.conf"
        configuration.write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_consistent_hash_exchange].\n")
        return {
            "HOME": str(home),
            "PATH": "/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            # Makes the script become the node, so that the pid is the node's.
            "RUNNING_UNDER_SYSTEMD": "1",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"flamewire{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                # Two schedulers that sleep when idle; nothing of Erlang's listens beyond loopback.
                "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
                " -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }


def ensure_installed() -> None:
    """Debian's package, installed without letting it start a broker; raises ServiceMissing."""
    if _PROGRAM.exists():
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ServiceMissing(
            "RabbitMQ is not installed: install your system's rabbitmq-server package,"
            " or set FLAMEWIRE_TEST_AMQP_URL"
        )
    with locked(PLACE / "apt.mutex"):
        if _PROGRAM.exists():
            return
        made_policy = not _POLICY.exists()
        if made_policy:  # Debian's way to say: install services, do not start them
            _POLICY.write_text("#!/bin/sh\nexit 101\n")
            _POLICY.chmod(0o755)
        try:
            _apt_get("update", required=False)
            _apt_get("install", "--yes", "--no-install-recommends", "rabbitmq-server")
        finally:
            if made_policy:
                _POLICY.unlink(missing_ok=True)
    if not _PROGRAM.exists():
        raise ServiceMissing(f"the package rabbitmq-server brought no {_PROGRAM}")


def _apt_get(*words: str, required: bool = True) -> None:
    try:
        done = subprocess.run(
            ["apt-get", "-q", *words],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceMissing(f"apt-get {words[0]} took over {_INSTALL_SECONDS_MAX} s") from error
    if required and done.returncode != 0:
        raise ServiceMissing(f"apt-get {words[0]} failed: {done.stderr.strip()[-500:]}")


def _url(port: int) -> str:
    return f"amqp://guest:guest@127.0.0.1:{port}/"


def _greets(port: int) -> bool:
    """Whether a broker answers the protocol header (AMQP 0-9-1, 4.2.2) with a method frame."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _end_epmd(port: int) -> None:
    epmd = shutil.which("epmd")
    if epmd is None:
        return
    subprocess.run(
        [epmd, "-port", str(port), "-kill"],
        env={"PATH": "/usr/bin:/bin", "ERL_EPMD_ADDRESS": "127.0.0.1"},
        capture_output=True,
        timeout=10,
    )
