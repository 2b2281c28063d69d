"""The documentation page and the document behind it. Everything it shows comes from this origin."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from flamewire_ledger.api import problems
from flamewire_ledger.api.door import problem_response
from flamewire_ledger.api.exchange import Exchange
from flamewire_ledger.api.parts import Parts
from flamewire_ledger.api.rendering import to_json

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES: Final = {
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui/favicon-32x32.png": "image/png",
}
_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


async def openapi(_: Request, __: Parts) -> Response:
    return Response(_document(), media_type="application/json")


async def page(_: Request, __: Parts) -> Response:
    return Response(static_file("docs.html"), headers=_HEADERS, media_type="text/html")


async def asset(request: Request, _: Parts) -> Response:
    """One of the files the page needs; there are no others."""
    name = request.path_params["name"]
    media_type = _FILES.get(name)
    if media_type is None:
        return problem_response(problems.not_found(), Exchange.of(request.scope))
    headers = {**_HEADERS, "Cache-Control": "public, max-age=3600"}
    return Response(static_file(name), headers=headers, media_type=media_type)


@cache
def static_file(name: str) -> bytes:
    """A file beside this module."""
    return resources.files(__package__).joinpath("static", *name.split("/")).read_bytes()


@cache
def _document() -> bytes:
    # Made when it is first asked for: a process that only answers commands never needs it.
    from flamewire_ledger.api.openapi import document

    return to_json(document())
