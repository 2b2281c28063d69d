"""`python -m scripts.benchmarks.load PLAN RESULT`: the generator as a process of its own.

It says how far it is on stdout, a line of JSON at a time, and takes `pause`, `resume` and `stop` on
stdin. A run that cannot be gone on with ends with one sentence on stderr and exit code 1.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from pathlib import Path

import msgspec
import uvloop

from scripts.benchmarks.load.commands import WrongAnswer
from scripts.benchmarks.load.generator import Generator
from scripts.benchmarks.load.plan import Plan, Result, write_result


def main(plan_path: str, result_path: str) -> int:
    gc.freeze()
    gc.set_threshold(
        100_000, 50, 100
    )  # what is made here lives for one request, or for the whole run
    plan = msgspec.json.decode(Path(plan_path).read_bytes(), type=Plan)
    try:
        result = uvloop.run(_run(plan))
    except (WrongAnswer, ValueError, OSError) as error:
        sys.stderr.write(f"The load generator gave up: {error}\n")
        return 1
    write_result(result, Path(result_path))
    return 0


async def _run(plan: Plan) -> Result:
    generator = Generator(plan, _say)
    asyncio.get_running_loop().add_reader(0, _obey, generator)
    return await generator.run()


def _say(phase: str, acknowledged: int) -> None:
    sys.stdout.write(json.dumps({"phase": phase, "acknowledged": acknowledged}) + "\n")
    sys.stdout.flush()


def _obey(generator: Generator) -> None:
    """A line a word; nothing is the end of whoever started this."""
    for word in os.read(0, 1024).split() or [b"stop"]:
        if word == b"stop":
            asyncio.get_running_loop().remove_reader(0)
            generator.stop()
        else:
            generator.pause(word == b"pause")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
