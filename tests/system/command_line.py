"""`flamewire …` as a process of its own, which has read its modules already.

Reading them takes a process a second or two, and most commands a tenth of one. So they are read once, by a
server that forks: what runs is the command line from its arguments to its exit code. That `python -m
flamewire_ledger` is the same is what the guides and the README show, whose commands are run as they stand.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from flamewire_ledger.cli.commands import run

_SECONDS_MAX = 300
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(
    [
        __name__,
        "flamewire_ledger.api.app",
        "flamewire_ledger.chains.ethereum.chain",
        "flamewire_ledger.chains.substrate.chain",
        "flamewire_ledger.wiring.api_parts",
    ]
)


class Process(Protocol):
    """What subprocess.Popen is to those who start a ledger."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def kill(self) -> None: ...
    def send_signal(self, sig: int) -> None: ...


class Forked:
    """A command that runs. Each line of what it says is given to one of two listeners as it comes."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        hear_output: Callable[[str], None],
        hear_errors: Callable[[str], None],
    ) -> None:
        self._arguments = arguments
        pipes = [_forking.Pipe(duplex=False) for _ in range(2)]
        ends = [writing for _, writing in pipes]
        given = (list(arguments), dict(environment), *ends)
        self._process = _forking.Process(target=_run, args=given)
        self._process.start()
        for writing in ends:
            writing.close()
        self._listening = [
            threading.Thread(target=_listen, args=(reading, hear), daemon=True)
            for (reading, _), hear in zip(pipes, (hear_output, hear_errors), strict=True)
        ]
        for thread in self._listening:
            thread.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Its exit code. What it said last may not have been heard yet."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(["flamewire", *self._arguments], timeout)
        return code

    def hear_out(self, timeout: float) -> None:
        """Wait until it has said all that it had to say, and its children too."""
        for thread in self._listening:
            thread.join(timeout)

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, sig: int) -> None:
        os.kill(self.pid, sig)


def flamewire(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in this environment and no other, to its end."""
    output: list[str] = []
    errors: list[str] = []
    process = Forked(arguments, environment, output.append, errors.append)
    try:
        code = process.wait(_SECONDS_MAX)
        process.hear_out(_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    said = "".join(output), "".join(errors)
    return subprocess.CompletedProcess(["flamewire", *arguments], code, *said)


def _listen(reading: Connection, hear: Callable[[str], None]) -> None:
    with os.fdopen(os.dup(reading.fileno()), encoding="utf-8") as lines:
        for line in lines:
            hear(line)
    reading.close()


def _run(
    arguments: list[str], environment: dict[str, str], output: Connection, errors: Connection
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate((output, errors), start=1):
        os.dup2(end.fileno(), number)
        end.close()
    sys.exit(run(arguments))
