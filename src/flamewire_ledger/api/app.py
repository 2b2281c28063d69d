"""The application, made of the parts it is given: routes from the contract, and the door in front
of each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from flamewire_ledger.api import docs, health, problems
from flamewire_ledger.api.call import Office
from flamewire_ledger.api.contract import OPERATIONS
from flamewire_ledger.api.door import pass_through, problem_response
from flamewire_ledger.api.exchange import Exchange, Exchanges
from flamewire_ledger.api.operation import Operation
from flamewire_ledger.api.parts import Parts

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
OpenEndpoint: TypeAlias = Callable[[Request, Parts], Awaitable[Response]]


def create_app(parts: Parts) -> ASGIApp:
    """An ASGI application. It opens nothing and closes nothing: the parts are ready when it is
    asked.
    """
    office = Office.of(parts)
    routes: list[BaseRoute] = [
        *(_route(path, by_method, office) for path, by_method in _by_path().items()),
        *(_open_route(path, answer, parts) for path, answer in _OPEN.items()),
    ]
    return Exchanges(Router(routes, redirect_slashes=False, default=_nowhere), parts)


def _by_path() -> Mapping[str, Mapping[str, Operation]]:
    """The operations of each path by method, in the order of the contract."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return paths


def _route(path: str, by_method: Mapping[str, Operation], office: Office) -> BaseRoute:
    allowed = ", ".join(by_method)

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = by_method.get(method)
        if operation is None:
            exchange = Exchange.of(request.scope)
            return problem_response(problems.method_not_allowed(allowed), exchange)
        return await pass_through(operation, office, request)

    return Route(path, _AnyMethod(endpoint))


def _open_route(path: str, answer: OpenEndpoint, parts: Parts) -> BaseRoute:
    """What needs no key, and is only ever read."""

    async def endpoint(request: Request) -> Response:
        exchange = Exchange.of(request.scope)
        exchange.route = f"GET {path}"
        if request.method not in ("GET", "HEAD"):
            return problem_response(problems.method_not_allowed("GET"), exchange)
        return await answer(request, parts)

    return Route(path, _AnyMethod(endpoint))


_OPEN: Final[Mapping[str, OpenEndpoint]] = {
    "/health/live": health.live,
    "/health/ready": health.ready,
    "/metrics": health.metrics,
    "/openapi.json": docs.openapi,
    "/docs": docs.page,
    "/docs/{name:path}": docs.asset,
}


class _AnyMethod:
    """An endpoint that sees every method: Starlette's own refusal is no problem document."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    response = problem_response(problems.not_found(), Exchange.of(scope))
    await response(scope, receive, send)
