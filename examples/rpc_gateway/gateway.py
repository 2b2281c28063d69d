"""The gateway: JSON-RPC over HTTP in front of a node, paid for by the call.

The hot path asks nobody: whether a customer may call is remembered, what was served is a line in a
file, and what it costs is the ledger's business. A node that does not answer costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx
from allowance import Allowances
from catalogue import (
    ARCHIVE,
    CHAINS,
    DEAREST,
    OVERAGE_CREDITS,
    PLANS,
    RPC,
    TOP_UP_USD,
    is_archive,
)
from customers import Customer, Customers
from ledger import Json, Ledger, Refused, Unreachable
from payments import TopUps, payment_required
from reporting import Reporter
from spool import Spool, SpoolFull
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CALLS_MAX: Final = 100  # in one request
BYTES_MAX: Final = 1_000_000
HEAD_SECONDS: Final = 5.0

log = logging.getLogger("gateway")


class Problem(Exception):
    """An answer of the gateway's own."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Gateway:
    """The parts of a running gateway."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        customers: Customers,
        reporter: Reporter,
        allowances: Allowances,
        nodes: str,
    ) -> None:
        self.ledger = ledger
        self.spool = spool
        self.customers = customers
        self.reporter = reporter
        self.allowances = allowances
        self.top_ups = TopUps(ledger)
        self._nodes = httpx.AsyncClient(base_url=nodes, timeout=10)
        self._head = 0
        self._ahead = timedelta()  # of the sandbox's clock

    @contextlib.asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(loop()) for loop in (self.reporter.send_for_ever, self._watch_head)
        ]
        for task in tasks:
            task.add_done_callback(_end_with_it)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Unreachable, Refused):
                await self.reporter.flush()  # else it is sent by the next start
            await self._nodes.aclose()
            await self.ledger.close()
            self.spool.close()

    async def rpc(self, request: Request) -> Response:
        customer = self.customer_of(request)
        chain = request.path_params["chain"]
        if chain not in CHAINS:
            raise Problem(404, "unknown_chain", f"there is {', '.join(CHAINS)}")
        body = await request.body()
        calls = [
            (call["method"], is_archive(call["method"], call.get("params"), self._head))
            for call in _calls(body)
        ]
        for method, archive in calls:
            if (chain, method, archive) not in DEAREST:
                raise Problem(404, "unknown_method", f"{method} is not sold on {chain}")
        if any(archive for _, archive in calls):
            await self._check(customer, ARCHIVE)
        cost = sum(DEAREST[chain, method, archive] for method, archive in calls)
        if not await self._check(customer, RPC, Decimal(cost)):
            return await payment_required(self.top_ups, customer, request.url.path)
        self.spool.check_room(len(calls))
        answer = await self._ask(chain, body)
        at = datetime.now(UTC) + self._ahead
        self.reporter.write(customer.account_id, chain, calls, at)
        return Response(answer, media_type="application/json")

    async def sign_up(self, request: Request) -> Response:
        sent = _object(await request.body())
        name, plan = sent.get("name"), sent.get("plan", "free")
        if plan not in PLANS or not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise Problem(422, "malformed", f"a name, and a plan of {', '.join(PLANS)}")
        key, customer = await self.customers.sign_up(name, plan)
        return JSONResponse({"key": key, **await self._shown(customer)}, 201)

    async def top_up(self, request: Request) -> Response:
        """Ask for credits; the answer says where to pay what, on each chain."""
        customer = self.customer_of(request)
        sent = _object(await request.body())
        usd = str(sent.get("usd", TOP_UP_USD[customer.plan]))
        return JSONResponse(await self.top_ups.ask(customer, usd), 201)

    async def account(self, request: Request) -> Response:
        return JSONResponse(await self._shown(self.customer_of(request)))

    async def health(self, _: Request) -> Response:
        return JSONResponse(
            {
                "ledger": self.reporter.is_connected,
                "calls_waiting": self.spool.waiting,
                "calls_reported": self.reporter.reported,
            }
        )

    async def sandbox_clock(self, request: Request) -> Response:
        """Where time passes when one says so, calls are made at that time."""
        moved = await self.ledger.post("/v1/sandbox/clock", _object(await request.body()))
        self._ahead = datetime.fromisoformat(moved["now"]) - datetime.now(UTC)
        return JSONResponse(moved)

    def customer_of(self, request: Request) -> Customer:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        customer = self.customers.find(key.strip()) if scheme.lower() == "bearer" else None
        if customer is None:
            raise Problem(401, "unauthorized", "send Authorization: Bearer gw_…; POST /signup")
        return customer

    async def _check(self, customer: Customer, feature: str, cost: Decimal = Decimal(0)) -> bool:
        """False when there are not enough credits; raises Problem when the plan does not have it, or
        when it takes the ledger's next answer to know.
        """
        answer = await self.allowances.check(customer.account_id, feature)
        if not answer.entitled and answer.reason != "no_credits":
            raise Problem(403, answer.reason, f"{feature} is not in your plan, or it is not paid")
        if not answer.entitled or answer.remaining is None:
            return answer.entitled
        too_much = cost - Decimal(OVERAGE_CREDITS)
        if answer.remaining < too_much:
            return False
        if self.allowances.left(customer.account_id, answer) < too_much:
            raise Problem(503, "catching_up", "your last calls are being counted: send it again")
        return True

    async def _shown(self, customer: Customer) -> Json:
        account = await self.ledger.get(f"/v1/credit_accounts/{customer.account_id}")
        return {
            "name": customer.name,
            "plan": customer.plan,
            "credit_account_id": customer.account_id,
            "subscription_id": customer.subscription_id,
            "credits_left": account["balance"]["available"],
            "credits_owed": account["balance"]["owed"],
        }

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
            Route("/sandbox/clock", gateway.sandbox_clock, methods=["POST"]),
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


async def _problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    headers = {"Retry-After": "1"} if problem.status == 503 else {}
    return JSONResponse({"error": problem.code, "detail": problem.detail}, problem.status, headers)


async def _full(_: Request, full: Exception) -> Response:
    return JSONResponse({"error": "busy", "detail": str(full)}, 503, {"Retry-After": "5"})


async def _away(_: Request, away: Exception) -> Response:
    detail = "the ledger does not answer: who called lately is served, all else has to wait"
    return JSONResponse({"error": "ledger_away", "detail": detail}, 503, {"Retry-After": "5"})


async def _no(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)
    return JSONResponse({"error": refusal.code, "detail": refusal.detail}, 422)
