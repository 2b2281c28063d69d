"""`flamewire serve ROLE`: one role of the ledger, for many machines. The database has to be migrated before."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer
import uvloop

from flamewire_ledger.cli.faults import SERVICE_MISSING, WRONG_USE, CommandError
from flamewire_ledger.cli.forking import Forker, forker
from flamewire_ledger.cli.members import Kind, import_parts, members
from flamewire_ledger.cli.output import say
from flamewire_ledger.cli.standing import listening_socket, stop_signal
from flamewire_ledger.cli.supervisor import Supervisor
from flamewire_ledger.settings import Settings, read_settings, unknown_settings
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.roles import Role as LedgerRole
from flamewire_ledger.wiring.roles import run_roles


class Role(StrEnum):
    api = "api"
    relay = "relay"
    projector = "projector"
    reactor = "reactor"
    watcher = "watcher"


LEDGER_ROLES: dict[Role, LedgerRole] = {
    Role.api: "api",
    Role.relay: "relay",
    Role.projector: "projector",
    Role.reactor: "reactor",
    Role.watcher: "watcher",
}


def serve(
    role: Annotated[Role, typer.Argument(help="Which part of the ledger this process is.")],
    host: Annotated[str | None, typer.Option(help="Address the API listens on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="API processes that share the port.")
    ] = None,
) -> None:
    """One role, for many machines: api, relay, projector, reactor or watcher."""
    settings = read_settings(host=host, port=port, workers=workers)
    for name in unknown_settings():
        say(f"{name} is no setting of this version and is ignored.")
    if settings.database_url is None:
        raise CommandError(
            "FLAMEWIRE_DATABASE_URL is not set: roles on many machines share one server.", WRONG_USE
        )
    if role is Role.relay and settings.amqp_url is None:
        raise CommandError(
            "FLAMEWIRE_AMQP_URL is not set: a relay needs RabbitMQ.", SERVICE_MISSING
        )
    url = settings.database_url.get_secret_value()
    with ExitStack() as stack:
        listener = status = None
        if role is Role.api:
            listener = stack.enter_context(listening_socket(settings.host, settings.port))
        elif settings.status_port:
            status = stack.enter_context(listening_socket(settings.host, settings.status_port))
        if listener is not None and settings.workers > 1:
            parts, begin = partial(import_parts, settings), members(settings, listener)
            forking = stack.enter_context(forker(parts, begin, listener))
            serving = _serve_many(settings, url, listener, forking)
        else:
            serving = _serve(settings, url, role, listener, status)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving)


async def _serve(
    settings: Settings,
    url: str,
    role: Role,
    listener: socket.socket | None,
    status_listener: socket.socket | None,
) -> None:
    """This process is the role."""
    stop = stop_signal()
    async with open_ledger(settings, url) as ledger:
        await run_roles(
            ledger,
            (LEDGER_ROLES[role],),
            listener=listener,
            status_listener=status_listener,
            stop=stop,
            on_ready=partial(_announce, role),
        )


async def _serve_many(
    settings: Settings, url: str, listener: socket.socket, forking: Forker
) -> None:
    """This process looks after those that are the API."""
    kinds: list[Kind] = ["api"] * settings.workers

    async def ready() -> None:
        _announce(Role.api)

    await Supervisor(forking, url, kinds).run(stop_signal(), ready, listener)


def _announce(role: Role) -> None:
    say(f"{role} is up.")
