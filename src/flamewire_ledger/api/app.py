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
from flamewire_ledger.api.exchange import Exchange, Exchanges, refuse
from flamewire_ledger.api.operation import Operation
from flamewire_ledger.api.parts import Parts
from flamewire_ledger.api.routing import Directory

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
OpenEndpoint: TypeAlias = Callable[[Request, Parts], Awaitable[Response]]


def create_app(parts: Parts) -> ASGIApp:
    """An ASGI application. It opens nothing and closes nothing: the parts are ready when it is
    asked.
    """
    office = Office.of(parts)
    endpoints: dict[str, ASGIApp] = {
        path: _Endpoint(by_method, office) for path, by_method in _by_path().items()
    }
    routes: list[BaseRoute] = [
        *(Route(path, endpoint) for path, endpoint in endpoints.items()),
        *(_open_route(path, answer, parts) for path, answer in _OPEN.items()),
    ]
    router = Router(routes, redirect_slashes=False, default=_nowhere)
    return Exchanges(Directory(endpoints, router), parts)


def _by_path() -> Mapping[str, Mapping[str, Operation]]:
    """The operations of each path by method, in the order of the contract."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return paths


class _Endpoint:
    """The operations of one path. It sees every method: Starlette's own refusal is no problem
    document.
    """

    def __init__(self, by_method: Mapping[str, Operation], office: Office) -> None:
        self._by_method = by_method
        self._office = office

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        operation = self._by_method.get("GET" if method == "HEAD" else method)
        if operation is None:
            allowed = ", ".join(self._by_method)
            await refuse(problems.method_not_allowed(allowed), Exchange.of(scope), send)
            return
        await pass_through(operation, self._office, scope, receive, send)


def _open_route(path: str, answer: OpenEndpoint, parts: Parts) -> BaseRoute:
    """What needs no key, and is only ever read."""

    async def endpoint(request: Request) -> Response:
        exchange = Exchange.of(request.scope)
        exchange.route = f"GET {path}"
        if request.method not in ("GET", "HEAD"):
            return problem_response(problems.method_not_allowed("GET"), exchange)
        return await answer(request, parts)

    return Route(path, _Open(endpoint))


_OPEN: Final[Mapping[str, OpenEndpoint]] = {
    "/health/live": health.live,
    "/health/ready": health.ready,
    "/metrics": health.metrics,
    "/openapi.json": docs.openapi,
    "/docs": docs.page,
    "/docs/{name:path}": docs.asset,
}


class _Open:
    """An endpoint for people and probes, made of Starlette's requests and responses."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    await refuse(problems.not_found(), Exchange.of(scope), send)
