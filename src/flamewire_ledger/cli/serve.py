"""`flamewire serve ROLE`: one role of the ledger, for many machines. The database has to be migrated before."""

from __future__ import annotations

import asyncio
import signal
import socket
from enum import StrEnum
from typing import Annotated

import typer
import uvloop

from flamewire_ledger.cli.faults import SERVICE_MISSING, WRONG_USE, CommandError
from flamewire_ledger.cli.output import say
from flamewire_ledger.cli.up import listening_socket
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
) -> None:
    """One role, for many machines: api, relay, projector, reactor or watcher."""
    settings = read_settings(host=host, port=port)
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
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if role is Role.api:
            with listening_socket(settings) as listener:
                runner.run(_serve(settings, role, listener))
        else:
            runner.run(_serve(settings, role, None))


async def _serve(settings: Settings, role: Role, listener: socket.socket | None) -> None:
    assert settings.database_url is not None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_ledger(settings, settings.database_url.get_secret_value()) as ledger:

        def ready() -> None:
            say(f"{role} is up.")

        await run_roles(ledger, (LEDGER_ROLES[role],), listener=listener, stop=stop, on_ready=ready)
