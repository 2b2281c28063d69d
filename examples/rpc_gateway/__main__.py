"""`python examples/rpc_gateway demo`, or its parts by themselves: `gateway` and `upstream`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import uvicorn
from gateway import Gateway, application
from ledger import Ledger
from spool import CALLS_MAX, Spool
from starlette.applications import Starlette
from upstream import upstream


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.command == "upstream":
        return serve(upstream(), arguments.port)
    if arguments.command == "gateway":
        key = os.environ.get("LEDGER_KEY")
        if not key:
            print("LEDGER_KEY is not set: give it the API key the ledger printed.", file=sys.stderr)
            return 2
        spool = Spool(arguments.spool, calls_max=arguments.calls_max)
        ledger = Ledger(arguments.ledger, key)
        parts = Gateway(ledger, spool, arguments.upstream, arguments.flush_seconds)
        return serve(application(parts), arguments.port)
    from demo import play  # it alone draws and prints

    return asyncio.run(play(arguments.out.absolute(), seed=arguments.seed))


def serve(app: Starlette, port: int) -> int:
    """Serve on loopback, and say where: a program that starts this one may have asked for port 0."""
    listening = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended everything in order by then
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rpc_gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="play a month, with a ledger of its own")
    demo.add_argument("--out", type=Path, default=Path("out"), help="where what comes out is put")
    demo.add_argument("--seed", type=int, default=7, help="of the traffic")
    gateway = commands.add_parser("gateway", help="serve; the ledger's API key is LEDGER_KEY")
    gateway.add_argument("--ledger", default="http://127.0.0.1:8700", help="the ledger's URL")
    gateway.add_argument("--upstream", default="http://127.0.0.1:8702", help="the node's URL")
    gateway.add_argument("--port", type=int, default=8701)
    gateway.add_argument("--spool", type=Path, default=Path("gateway.sqlite"))
    gateway.add_argument("--calls-max", type=int, default=CALLS_MAX, help="that wait in the spool")
    gateway.add_argument("--flush-seconds", type=float, default=0.5)
    node = commands.add_parser("upstream", help="a stand-in for the nodes")
    node.add_argument("--port", type=int, default=8702)
    return parser


if __name__ == "__main__":
    sys.exit(main())
