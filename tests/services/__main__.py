"""`scripts/services start|stop|status`: the servers that tests share, kept running between runs.

Only what was started here is ever stopped. `start` exits 3 if a server cannot be had.
`with COMMAND` has them up for as long as the command runs; scripts/test uses it.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.services import node
from tests.services.place import (
    PLACE,
    Lease,
    Server,
    ServiceMissing,
    lease,
    locked,
    stop_if_unused,
)
from tests.services.postgres import SharedPostgres
from tests.services.rabbitmq import SharedRabbitMQ
from tests.services.redis import SharedRedis

SERVERS: tuple[Server, ...] = (SharedPostgres(), SharedRedis(), SharedRabbitMQ())
NODES = ("ethereum", "substrate")


def start() -> int:
    """Start what is missing, and keep it until `stop`; install the nodes' programs."""
    with ThreadPoolExecutor() as side_by_side:
        servers = [side_by_side.submit(_keep, server) for server in SERVERS]
        nodes = [side_by_side.submit(_install, name) for name in NODES]
    return 0 if all(done.result() for done in (*servers, *nodes)) else 3


def _keep(server: Server) -> bool:
    began = time.monotonic()
    leased = _lease(server)
    if leased is None:
        return False
    if server.elsewhere() is None:
        with locked(PLACE / server.name / "mutex"):
            (PLACE / server.name / "kept").touch()
    leased.release()
    _say(server.name, f"{leased.url}  ({time.monotonic() - began:.1f} s)")
    return True


def _lease(server: Server) -> Lease | None:
    try:
        return lease(server)
    except ServiceMissing as error:  # the tests that need it will say so again
        _say(server.name, f"missing: {error}")
        return None


def _install(name: str) -> bool:
    began = time.monotonic()
    try:
        node.installed(name)
    except ServiceMissing as error:
        _say(name, f"missing: {error}")
        return False
    _say(name, f"installed; each test starts its own  ({time.monotonic() - began:.1f} s)")
    return True


def stop() -> int:
    """Stop what was started here, but for what a test run is using."""
    busy = 0
    for server in SERVERS:
        if stop_if_unused(server):
            _say(server.name, "stopped")
        else:
            busy += 1
            _say(server.name, "a test run is using it: it stops when that run ends")
    return 1 if busy else 0


def status() -> int:
    """Where each server answers; exits 1 if one does not."""
    down = 0
    for server in SERVERS:
        url = server.elsewhere()
        if url is not None:
            _say(server.name, f"{url}  (not ours)")
            continue
        url = server.running(PLACE / server.name)
        down += url is None
        _say(server.name, url or "not running")
    return 1 if down else 0


def run_with(command: list[str]) -> int:
    """Run the command while every server comes up, then give back what nobody else uses.

    A test that asks for a server before it is there waits for it: the locks see to that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which then ends
    with ThreadPoolExecutor() as side_by_side:
        leases = [side_by_side.submit(_lease, server) for server in SERVERS]
        for name in NODES:
            side_by_side.submit(_install, name)
        try:
            with subprocess.Popen(command, preexec_fn=_hear_interrupts) as running:
                signal.signal(signal.SIGTERM, lambda *_: running.terminate())
                return running.wait()
        finally:
            for leased in leases:
                if (held := leased.result()) is not None:
                    held.release(wait_seconds_max=5)  # workers that were ended with the run


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _say(name: str, text: str) -> None:
    print(f"{name:10} {text}", flush=True)


def main() -> int:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(prog="scripts/services", description=__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"), nargs="?", default="status")
    actions = {"start": start, "stop": stop, "status": status}
    if sys.argv[1:2] == ["with"]:
        return run_with(sys.argv[2:])
    return actions[parser.parse_args().action]()


if __name__ == "__main__":
    sys.exit(main())
