"""A stand-in for the nodes behind the gateway: it answers JSON-RPC, always the same to the same.

It knows no chain. What it is for: a gateway needs something behind it that takes a moment, counts
what it was asked, and answers in the right shape.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HEAD: Final = 20_000_000
_SIMPLE: Final[dict[str, Any]] = {
    "eth_blockNumber": hex(HEAD),
    "eth_chainId": "0x1",
    "eth_getLogs": [],
    "chain_getHeader": {"number": "0x5b8d80"},
    "sui_getLatestCheckpointSequenceNumber": "104857600",
}


def upstream() -> Starlette:
    """One application for all chains."""
    asked = {"calls": 0}

    async def answer(request: Request) -> Response:
        sent = await request.json()
        calls = sent if isinstance(sent, list) else [sent]
        asked["calls"] += len(calls)
        answers = [{"jsonrpc": "2.0", "id": it.get("id"), "result": _result(it)} for it in calls]
        return JSONResponse(answers if isinstance(sent, list) else answers[0])

    async def count(_: Request) -> Response:
        return JSONResponse(asked)

    return Starlette(
        routes=[
            Route("/count", count),
            Route("/{chain}", answer, methods=["POST"]),
        ]
    )


def _result(call: dict[str, Any]) -> Any:
    method = call["method"]
    if method in _SIMPLE:
        return _SIMPLE[method]
    seed = json.dumps([method, call.get("params")], sort_keys=True).encode()
    return "0x" + hashlib.sha256(seed).hexdigest()
