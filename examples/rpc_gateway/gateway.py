"""The gateway: JSON-RPC over HTTP in front of a node, paid for by the call.

The hot path asks nobody: the balance is in memory, the price is arithmetic, the record is a local
file. What is being served is set aside first, so that calls at the same time cannot spend the same
credits; a node that does not answer costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from catalogue import PLANS, WEIGHTS, is_archive, weigh
from customers import Customer, Customers, in_credits
from ledger import Json, Ledger, Refused, Unreachable
from meter import Meter
from payments import TopUps, payment_required
from spool import Spool, SpoolFull
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CALLS_MAX: Final = 100  # in one request
BYTES_MAX: Final = 1_000_000
HEAD_SECONDS: Final = 5.0

log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class Priced:
    """One request: its calls as (method, 1, micro), and what they weigh and cost together."""

    calls: list[tuple[str, int, int]]
    units: int
    micro: int


class Problem(Exception):
    """An answer of the gateway's own."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Gateway:
    """The parts of a running gateway."""

    def __init__(self, ledger: Ledger, spool: Spool, upstream_url: str, flush_seconds: float):
        self.ledger = ledger
        self.spool = spool
        self.customers = Customers(ledger, spool)
        self.meter = Meter(ledger, spool, self.customers, flush_seconds=flush_seconds)
        self.top_ups = TopUps(ledger)
        self._nodes = httpx.AsyncClient(base_url=upstream_url, timeout=10)
        self._head = 0

    @contextlib.asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        loops = (self.meter.send_for_ever, self.meter.follow_for_ever, self._watch_head)
        tasks = [asyncio.create_task(loop()) for loop in loops]
        for task in tasks:
            task.add_done_callback(_end_with_it)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Unreachable, Refused):
                await self.meter.flush()  # else it is sent by the next start
            await self._nodes.aclose()
            await self.ledger.close()
            self.spool.close()

    async def rpc(self, request: Request) -> Response:
        customer = self.customer_of(request)
        chain = request.path_params["chain"]
        if chain not in WEIGHTS:
            raise Problem(404, "unknown_chain", f"there is {', '.join(WEIGHTS)}")
        body = await request.body()
        month = datetime.now(UTC).strftime("%Y-%m")
        priced = self._price(customer, chain, _calls(body), month)
        if customer.left < priced.micro:
            return await payment_required(self.top_ups, customer, priced.micro, request.url.path)
        self.spool.check_room(len(priced.calls))
        customer.pending += priced.micro
        customer.units += priced.units
        try:
            answer = await self._ask(chain, body)
        except BaseException:
            customer.pending -= priced.micro
            customer.units -= priced.units
            raise
        self.spool.record(customer.account_id, month, priced.units, priced.calls)
        headers = {
            "X-Credits-Cost": in_credits(priced.micro),
            "X-Credits-Left": in_credits(customer.left),
        }
        return Response(answer, media_type="application/json", headers=headers)

    async def sign_up(self, request: Request) -> Response:
        sent = _object(await request.body())
        plan = PLANS.get(str(sent.get("plan", "free")))
        name = sent.get("name")
        if plan is None or not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise Problem(422, "malformed", f"a name, and a plan of {', '.join(PLANS)}")
        key, customer = await self.customers.sign_up(name, plan)
        return JSONResponse({"key": key, **_shown(customer)}, 201)

    async def top_up(self, request: Request) -> Response:
        """Ask for credits; the answer says where to pay what, on each chain."""
        customer = self.customer_of(request)
        sent = _object(await request.body())
        usd = str(sent.get("usd", customer.plan.top_up_usd))
        return JSONResponse(await self.top_ups.ask(customer, usd), 201)

    async def account(self, request: Request) -> Response:
        return JSONResponse(_shown(self.customer_of(request)))

    async def health(self, _: Request) -> Response:
        waiting = self.spool.waiting
        return JSONResponse({"ledger": self.meter.is_connected, "calls_waiting": waiting})

    def customer_of(self, request: Request) -> Customer:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        customer = self.customers.find(key.strip()) if scheme.lower() == "bearer" else None
        if customer is None:
            raise Problem(401, "unauthorized", "send Authorization: Bearer gw_…; POST /signup")
        return customer

    def _price(self, customer: Customer, chain: str, calls: list[Json], month: str) -> Priced:
        used = self.customers.volume(customer, month)
        rows: list[tuple[str, int, int]] = []
        units = 0
        for call in calls:
            method, params = call["method"], call.get("params")
            if not customer.plan.has_archive and is_archive(method, params, self._head):
                raise Problem(403, "no_archive", f"the plan {customer.plan.name} has no archive")
            weight = weigh(chain, method, params, self._head)
            rows.append((method, 1, customer.plan.cost(used + units, weight)))
            units += weight
        return Priced(rows, units, sum(micro for _, _, micro in rows))

    async def _ask(self, chain: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._nodes.post(f"/{chain}", content=body, headers=headers)
        except httpx.TransportError:
            raise Problem(502, "no_node", "the node does not answer; nothing was charged") from None
        if answer.is_error:
            raise Problem(502, "no_node", "the node failed; nothing was charged")
        return answer.content

    async def _watch_head(self) -> None:
        """What is old depends on how high the chain is."""
        asks = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []})
        while True:
            with contextlib.suppress(Problem, ValueError, KeyError, TypeError):
                self._head = int(
                    json.loads(await self._ask("ethereum", asks.encode()))["result"], 16
                )
            await asyncio.sleep(HEAD_SECONDS)


def application(gateway: Gateway) -> Starlette:
    """The routes of a gateway."""
    return Starlette(
        routes=[
            Route("/rpc/{chain}", gateway.rpc, methods=["POST"]),
            Route("/signup", gateway.sign_up, methods=["POST"]),
            Route("/topup", gateway.top_up, methods=["POST"]),
            Route("/account", gateway.account),
            Route("/health", gateway.health),
        ],
        exception_handlers={Problem: _problem, SpoolFull: _full, Unreachable: _away, Refused: _no},
        lifespan=gateway.running,
    )


def _end_with_it(task: asyncio.Task[None]) -> None:
    """A gateway that has lost one of its loops would serve what it cannot charge: it ends."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.critical("a loop of the gateway failed", exc_info=fault)
        signal.raise_signal(signal.SIGTERM)


def _calls(body: bytes) -> list[Json]:
    """The calls of a request, one or a batch."""
    if len(body) > BYTES_MAX:
        raise Problem(413, "too_large", f"{BYTES_MAX} bytes at most")
    try:
        sent = json.loads(body)
    except ValueError:
        raise Problem(400, "malformed", "JSON-RPC 2.0 is JSON") from None
    calls = sent if isinstance(sent, list) else [sent]
    if not 1 <= len(calls) <= CALLS_MAX:
        raise Problem(400, "malformed", f"1 to {CALLS_MAX} calls")
    for call in calls:
        method = call.get("method") if isinstance(call, dict) else None
        if not isinstance(method, str) or not 1 <= len(method) <= 64:
            raise Problem(400, "malformed", "a call has a method, and it is text")
    return calls


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        sent = json.loads(body or b"{}")
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise Problem(400, "malformed", "a JSON object")
    return sent


def _shown(customer: Customer) -> Json:
    return {
        "name": customer.name,
        "plan": customer.plan.name,
        "credit_account_id": customer.account_id,
        "credits_left": in_credits(customer.left),
        "units_this_month": customer.units,
    }


async def _problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return JSONResponse({"error": problem.code, "detail": problem.detail}, problem.status)


async def _full(_: Request, full: Exception) -> Response:
    return JSONResponse({"error": "busy", "detail": str(full)}, 503, {"Retry-After": "5"})


async def _away(_: Request, away: Exception) -> Response:
    detail = "the ledger does not answer; calls are served, purchases have to wait"
    return JSONResponse({"error": "ledger_away", "detail": detail}, 503, {"Retry-After": "5"})


async def _no(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)
    return JSONResponse({"error": refusal.code, "detail": refusal.detail}, 422)
