"""The generator as a child process: started, watched, told to pause, and asked for its result."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.load.plan import Plan, Result, read_result

ROOT: Final = Path(__file__).parents[3]
_LOOK_SECONDS: Final = 0.05
_EXTRA_SECONDS: Final = 60.0  # over what the plan takes


class LoadProcess:
    """As a context manager; leaving it ends the process, whatever it was at."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phase = "starting"
        self.acknowledged = 0  # commands, as told twice a second
        self._folder = tempfile.TemporaryDirectory(prefix="flamewire-load-")
        self._changed = threading.Condition()
        self._errors = ""
        plan_path = Path(self._folder.name) / "plan.json"
        self._result_path = Path(self._folder.name) / "result"
        plan_path.write_bytes(msgspec.json.encode(plan))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmarks.load", plan_path, self._result_path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._threads = [
            threading.Thread(target=listen, daemon=True)
            for listen in (self._listen, self._listen_to_errors)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for thread in self._threads:
            thread.join(5)
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.poll() is None

    def tell(self, word: str) -> None:
        """`pause`, `resume` or `stop`."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(word + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended by itself

    def wait_for(self, phase: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until it is in this phase or past it; raises BenchmarkFailed when it ended before."""
        deadline = time.monotonic() + self._seconds_max()
        while phase not in self._phases_seen() and self.is_running():
            if time.monotonic() > deadline:
                self._raise(f"it never came to {phase}")
            meanwhile()
            with self._changed:
                self._changed.wait_for(lambda: phase in self._phases_seen(), _LOOK_SECONDS)
        if phase not in self._phases_seen():
            self._threads[0].join(5)  # what it said last may not have been read yet
        if phase not in self._phases_seen():
            self._raise("it ended early")

    def result(self, meanwhile: Callable[[], None] = lambda: None) -> Result:
        """What came of it, once it has ended; `meanwhile` is called a few times a second."""
        deadline = time.monotonic() + self._seconds_max()
        while self.is_running():
            if time.monotonic() > deadline:
                self._raise("it does not come to an end")
            meanwhile()
            time.sleep(_LOOK_SECONDS)
        for thread in self._threads:
            thread.join(5)
        if self._child.returncode:
            self._raise(f"exit code {self._child.returncode}")
        return read_result(self._result_path)

    def _phases_seen(self) -> tuple[str, ...]:
        order = ("starting", "connecting", "warming up", "measuring", "draining")
        return order[: order.index(self.phase) + 1]

    def _seconds_max(self) -> float:
        plan = self.plan
        return plan.warm_up_seconds + plan.seconds + plan.drain_seconds + _EXTRA_SECONDS

    def _raise(self, what: str) -> None:
        raise BenchmarkFailed(f"the load generator: {what}. {self._errors.strip()[-2000:]}")

    def _listen(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            told = json.loads(line)
            with self._changed:
                self.phase, self.acknowledged = told["phase"], told["acknowledged"]
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _listen_to_errors(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._errors += line


def run_load(plan: Plan) -> Result:
    """One plan, from start to end, in a process of its own."""
    with LoadProcess(plan) as load:
        return load.result()
