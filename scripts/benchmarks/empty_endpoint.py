"""An endpoint that does nothing, served as the API is: what HTTP and Python alone leave room for.

`python -m scripts.benchmarks.empty_endpoint PORT`; its uvicorn settings are those of wiring/roles.py.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scripts.benchmarks.running import Child, answers
from tests.services.place import free_port


async def nothing(request: Request) -> Response:
    return Response(b"{}", media_type="application/json")


def serve(port: int) -> None:
    """Until it is interrupted."""
    app = Starlette(routes=[Route("/v1/credit_accounts/{id}/consume", nothing, methods=["POST"])])
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    uvicorn.run(
        app, port=port, http="httptools", ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False,
    )  # fmt: skip


@contextmanager
def empty_endpoints(count: int) -> Iterator[Sequence[tuple[str, int]]]:
    """Where so many processes of it answer."""
    ports = [free_port() for _ in range(count)]
    children = [Child(["scripts.benchmarks.empty_endpoint", str(port)]) for port in ports]
    try:
        for child, port in zip(children, ports, strict=True):
            child.wait_until(lambda at=port: answers("127.0.0.1", at), "starting")  # type: ignore[misc]
        yield [("127.0.0.1", port) for port in ports]
    finally:
        for child in children:
            child.stop()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
