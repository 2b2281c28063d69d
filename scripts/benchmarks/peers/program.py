"""A peer's program: this file holds the processes that are told to work and asked how much they did.

They speak the lines of lines.py. All processes of a program get the line at once.
"""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.peers.contender import Measured, measured_between

ROOT: Final = Path(__file__).parents[3]
_START_SECONDS_MAX: Final = 60.0
_LATE_SECONDS_MAX: Final = 60.0  # over the time it was told to work
_PREPARE_SECONDS_MAX: Final = 180.0


class Program:
    """As a context manager: started and ready inside, ended outside."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        processes: int,
        folder: Path = ROOT,
    ) -> None:
        self._command = command
        self._environment = environment
        self._processes = processes
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self._errors: IO[str] | None = None

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+")
        try:
            for _ in range(self._processes):
                self._running.append(self._start())
            for process in self._running:
                self._read(process, _START_SECONDS_MAX)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running:
            process.kill()
            process.communicate()
        self._running.clear()
        if self._errors is not None:
            self._errors.close()

    def measure(self, seconds: float) -> Measured:
        """All processes for so long; the slowest one's time counts for all."""
        return measured_between(lambda: self._work(seconds))

    def _work(self, seconds: float) -> tuple[int, float]:
        for process in self._running:
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise self._failed("ended") from None
        answers = [self._read(process, seconds + _LATE_SECONDS_MAX) for process in self._running]
        return sum(each["done"] for each in answers), max(each["seconds"] for each in answers)

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def _read(self, process: subprocess.Popen[str], seconds_max: float) -> dict[str, Any]:
        assert process.stdout is not None
        # Each line of ours is answered by exactly one, so that none hides in the buffer.
        if not select.select([process.stdout], [], [], seconds_max)[0]:
            raise self._failed(f"did not answer for {seconds_max:g} s")
        line = process.stdout.readline()
        if not line:
            raise self._failed("ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self, what: str) -> BenchmarkFailed:
        assert self._errors is not None
        self._errors.seek(0)
        name = " ".join(Path(word).name for word in self._command[:3])
        return BenchmarkFailed(f"{name} {what}: {self._errors.read().strip()[-1000:]}")


def run_once(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path = ROOT
) -> str:
    """Run to the end what makes tables and accounts; its stdout."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PREPARE_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkFailed(f"{command[0]} took over {_PREPARE_SECONDS_MAX:g} s.") from error
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(map(str, command[:4]))}: {done.stderr.strip()[-1000:]}")
    return done.stdout
