"""Which part of the ledger a process plays is told by its connections."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.benchmarks.processes import API, BACKSTAGE, CARETAKER, WHOLE, parts_of_ledger

_PLAY = """
import socket, sys
kept = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[2:]]
if sys.argv[1] == "listens":
    kept.append(socket.create_server(("127.0.0.1", 0)))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def servers() -> Iterator[tuple[int, int]]:
    """Postgres' port and the broker's."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        postgres, broker = [it.getsockname()[1] for it in made]
        yield postgres, broker


@pytest.mark.parametrize(
    ("listens", "uses", "part"),
    [
        (True, ("postgres",), API),
        (False, ("postgres",), BACKSTAGE),
        (True, ("postgres", "broker"), WHOLE),
        (True, (), CARETAKER),
    ],
    ids=["api", "backstage without its broker", "all in one", "caretaker"],
)
def test_a_process_plays_the_part_of_its_connections(
    servers: tuple[int, int], listens: bool, uses: tuple[str, ...], part: str
):
    ports = dict(zip(("postgres", "broker"), servers, strict=True))
    arguments = ["listens" if listens else "-", *(str(ports[it]) for it in uses)]
    with subprocess.Popen(
        [sys.executable, "-c", _PLAY, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        found = parts_of_ledger(
            [process.pid],
            f"postgresql://127.0.0.1:{servers[0]}/ledger",
            f"amqp://127.0.0.1:{servers[1]}/",
        )
        process.stdin.close()
    assert [(name, len(its)) for name, its in found.items()] == [(part, 1)]
