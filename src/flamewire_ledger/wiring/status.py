"""The status port: health and metrics of a process that serves no API, for probes and Prometheus.

The answers are the API's own, under the same paths. It speaks to machines of the same network only:
nothing here asks for a key, and nothing here is a secret.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

_CONNECTIONS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Status:
    """What a process can say of itself."""

    health: Health
    meter: Meters


async def serve_status(status: Status, listener: socket.socket) -> None:
    """Answer on this socket until cancelled."""
    import uvicorn  # who has no status port starts without it
    from starlette.applications import Starlette
    from starlette.routing import Route

    from flamewire_ledger.api import health

    def about(
        answer: Callable[[Request, Status], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await answer(request, status)

        return endpoint

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the command's

    routes = [
        Route("/health/live", about(health.live)),
        Route("/health/ready", about(health.ready)),
        Route("/metrics", about(health.metrics)),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS_MAX,
    )
    await Server(config).serve(sockets=[listener])
