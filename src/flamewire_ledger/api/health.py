"""Health: whether the process lives, whether all of its roles are up, and what it has counted."""

from __future__ import annotations

from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from flamewire_ledger.api.parts import Health, Meter
from flamewire_ledger.api.rendering import to_json

JSON: Final = "application/json"
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Reports(Protocol):
    """What a process says of itself: the API's parts, or those of a role without one."""

    @property
    def health(self) -> Health: ...

    @property
    def meter(self) -> Meter: ...


async def live(_: Request, __: Reports) -> Response:
    """It answers, so it lives: nothing else is asked."""
    return Response(to_json({"status": "live"}), media_type=JSON)


async def ready(_: Request, parts: Reports) -> Response:
    """200 when every role and server of this process is there, else 503; either way what is not."""
    checks = await parts.health.checks()
    is_ready = all(check.is_ready for check in checks)
    body = {
        "status": "ready" if is_ready else "not_ready",
        "checks": {check.name: {"ready": check.is_ready, **check.details} for check in checks},
    }
    headers = {} if is_ready else {"Retry-After": "1"}
    return Response(to_json(body), 200 if is_ready else 503, headers, media_type=JSON)


async def metrics(_: Request, parts: Reports) -> Response:
    return Response(await parts.meter.render(), media_type=PROMETHEUS)
