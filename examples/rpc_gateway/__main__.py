"""`python examples/rpc_gateway demo`, or its parts by themselves: `publish`, `gateway`, `upstream`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import uvicorn
from allowance import Allowances
from catalogue import publish
from customers import Customers
from exposure import Exposure
from gateway import Gateway, application
from ledger import Ledger, Refused, Unreachable
from reporting import Reporter
from spool import CALLS_MAX, Spool
from starlette.applications import Starlette
from upstream import upstream


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.command == "upstream":
        return serve(upstream(), arguments.port)
    if arguments.command == "demo":
        from month.story import play  # it alone prints

        return asyncio.run(play(arguments.out.absolute(), seed=arguments.seed))
    key = os.environ.get("LEDGER_KEY")
    if not key:
        print("LEDGER_KEY is not set: give it the API key the ledger printed.", file=sys.stderr)
        return 2
    ledger = Ledger(arguments.ledger, key)
    if arguments.command == "publish":
        return asyncio.run(_publish(ledger))
    spool = Spool(arguments.data / "spool", calls_max=arguments.calls_max)
    customers = Customers(ledger, arguments.data / "customers.jsonl")
    exposure = Exposure()
    reporter = Reporter(ledger, spool, exposure, arguments.name, arguments.flush_seconds)
    allowances = Allowances(ledger, exposure)
    parts = Gateway(ledger, spool, customers, reporter, allowances, arguments.upstream)
    return serve(application(parts), arguments.port)


async def _publish(ledger: Ledger) -> int:
    try:
        await publish(ledger)
    except (Refused, Unreachable) as failure:
        print(f"The catalogue is not published: {failure}", file=sys.stderr)
        return 1
    finally:
        await ledger.close()
    return 0


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
    published = commands.add_parser("publish", help="define meters and plans in the ledger")
    gateway = commands.add_parser("gateway", help="serve; the ledger's API key is LEDGER_KEY")
    for command in (published, gateway):
        command.add_argument("--ledger", default="http://127.0.0.1:8700", help="the ledger's URL")
    gateway.add_argument("--name", default="gateway-1", help="of this gateway among several")
    gateway.add_argument("--upstream", default="http://127.0.0.1:8702", help="the node's URL")
    gateway.add_argument("--port", type=int, default=8701)
    gateway.add_argument("--data", type=Path, default=Path("gateway"), help="a folder of its own")
    gateway.add_argument("--calls-max", type=int, default=CALLS_MAX, help="that wait in the spool")
    gateway.add_argument("--flush-seconds", type=float, default=0.5)
    node = commands.add_parser("upstream", help="a stand-in for the nodes")
    node.add_argument("--port", type=int, default=8702)
    return parser


if __name__ == "__main__":
    sys.exit(main())
