"""The members of a ledger of several processes: what each of them is, and what it does once forked.

An *api* member serves HTTP and writes; the *backstage* is everything that works without being asked:
projector, reactor, watcher, and the relay when there is a broker. A member ends when it is told to,
when it fails, and at once when whoever looks after it is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias

import uvloop

from flamewire_ledger.api.parts import Check
from flamewire_ledger.cli.faults import explain
from flamewire_ledger.cli.forking import FAULT, Begin
from flamewire_ledger.cli.line import Line, LineLost
from flamewire_ledger.settings import Settings
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.health import Health
from flamewire_ledger.wiring.roles import Role, run_roles

Kind: TypeAlias = Literal["api", "backstage"]
ROLES: Final[Mapping[Kind, tuple[Role, ...]]] = {
    "api": ("api",),
    "backstage": ("projector", "reactor", "watcher", "relay"),
}

# What a member tells: `open` (it answers questions now), `ready`, and `failed` with [sentence, exit
# code]. It is told `stop`. It is asked for `checks` and `samples`, and asks for those of all.
OPEN, READY, FAILED, STOP = "open", "ready", "failed", "stop"
CHECKS, SAMPLES = "checks", "samples"
CHECKS_OF_ALL, METRICS_OF_ALL = "checks of all", "metrics of all"


def import_parts(settings: Settings) -> None:
    """Import what members need, so that each is there as soon as it is forked."""
    names = [
        "uvicorn.protocols.http.httptools_impl",
        "flamewire_ledger.api.app",
        "flamewire_ledger.wiring.api_parts",
    ]
    if settings.amqp_url is not None:
        names += ["flamewire_ledger.relay.consumer", "flamewire_ledger.relay.turns"]
    if settings.redis_url is not None:
        names.append("flamewire_ledger.security.shared_rate_limits")
    for name in names:
        import_module(name)


def members(settings: Settings, listener: socket.socket) -> Begin:
    """What a forked process does with its order, `{"kind", "url"}`."""

    def begin(order: dict[str, Any], end: socket.socket) -> int:
        kind: Kind = order["kind"]
        if kind != "api":
            listener.close()
        farewell = end.dup()  # the loop's own end is closed with the loop
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_live(settings, kind, order["url"], end, listener))
        except Exception as error:  # noqa: BLE001 - the edge of a process
            return _fail(error, farewell)
        return 0

    return begin


def _fail(error: Exception, farewell: socket.socket) -> int:
    """Say why, to whoever can decide whether it is worth another try."""
    explained = explain(error)
    if explained is None:
        traceback.print_exc()
        return FAULT
    said = {"tell": FAILED, "value": [str(explained), explained.exit_code]}
    with suppress(OSError):
        farewell.sendall(json.dumps(said).encode() + b"\n")
    return explained.exit_code


async def _live(
    settings: Settings, kind: Kind, url: str, end: socket.socket, listener: socket.socket
) -> None:
    stop = asyncio.Event()
    line = await Line.open(end)
    line.hears(STOP, lambda _: stop.set())
    holding = asyncio.create_task(_hold(line))

    async def metrics_of_all() -> bytes:
        return str(await line.ask(METRICS_OF_ALL)).encode()

    async def samples() -> object:
        return ledger.meters.samples()

    async def checks() -> object:
        return to_json(await health.own_checks())

    async with open_ledger(settings, url, Meters(metrics_of_all)) as ledger:
        health = Health(ledger, lambda: _checks_of_all(line))
        ledger.meters.set("processes", 1, kind=kind)
        line.answers(CHECKS, checks)
        line.answers(SAMPLES, samples)
        line.tell(OPEN)
        await run_roles(
            ledger,
            ROLES[kind],
            health=health,
            listener=listener if kind == "api" else None,
            stop=stop,
            on_ready=lambda: line.tell(READY),
        )
    holding.cancel()


async def _hold(line: Line) -> None:
    """Whoever looked after us is gone, and the next ledger wants the port and the data: no goodbye.
    What was acknowledged is recorded.
    """
    await line.run()
    os._exit(1)


async def _checks_of_all(line: Line) -> Sequence[Check]:
    try:
        return from_json(await line.ask(CHECKS_OF_ALL))
    except LineLost:
        return [Check("processes", False, {"reason": "nobody answers for the others"})]


def to_json(checks: Sequence[Check]) -> list[Any]:
    """Checks as they go over a line."""
    return [[check.name, check.is_ready, dict(check.details)] for check in checks]


def from_json(said: Sequence[Any]) -> list[Check]:
    return [Check(name, is_ready, details) for name, is_ready, details in said]
