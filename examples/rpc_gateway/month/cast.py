"""The customers of the demonstration, as programs that only know the gateway, and their payer.

The payer is the one who plays with the sandbox's chains: for a real gateway these are wallets.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import httpx
from ledger import Json, Ledger

from month.traffic import ARCHIVE, LIGHT, calls, requests

WAIT_SECONDS_MAX: Final = 60.0
AT_ONCE: Final = 8
SENDS_MAX: Final = 20


async def eventually(question: Callable[[], Awaitable[bool]], else_say: str) -> None:
    """Ask until it is so; TimeoutError when it takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not await question():
        if time.monotonic() > deadline:
            raise TimeoutError(else_say)
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Tally:
    """What a customer knows of its own calls."""

    answered: int = 0
    unpaid: int = 0  # answered with 402
    forbidden: int = 0  # answered with 403


@dataclass(slots=True)
class Customer:
    """One who calls."""

    name: str
    plan: str
    key: str
    account_id: str
    subscription_id: str
    http: httpx.AsyncClient
    tally: Tally = field(default_factory=Tally)

    @classmethod
    async def sign_up(cls, http: httpx.AsyncClient, name: str, plan: str) -> Customer:
        answer = await http.post("/signup", json={"name": name, "plan": plan})
        answer.raise_for_status()
        body = answer.json()
        account_id, subscription_id = body["credit_account_id"], body["subscription_id"]
        return cls(name, plan, body["key"], account_id, subscription_id, http)

    async def call(
        self, chance: random.Random, count: int, *, at_once: int = AT_ONCE
    ) -> Json | None:
        """Make so many calls, a few at once; a 402, if there was one, and then stop."""
        made = calls(chance, count, archive=self.plan != "free")
        return await self._make(requests(made, chance), at_once)

    async def knock(self) -> None:
        """A call of each kind: what is known of a customer afterwards is good for a minute."""
        made = [LIGHT[0], ARCHIVE[0]] if self.plan != "free" else [LIGHT[0]]
        await self._make(requests(made, random.Random(0)), 1)  # noqa: S311 (it plays)

    async def _make(self, waiting: list[tuple[str, Any, int]], at_once: int) -> Json | None:
        refused: list[Json] = []

        async def worker() -> None:
            while waiting and not refused:
                chain, body, calls_in_it = waiting.pop()
                answer = await self._send(f"/rpc/{chain}", body)
                if answer.status_code == 402:
                    self.tally.unpaid += calls_in_it
                    refused.append(answer.json())
                    return
                if answer.status_code == 403:
                    self.tally.forbidden += calls_in_it
                    return
                answer.raise_for_status()
                self.tally.answered += calls_in_it

        await asyncio.gather(*(worker() for _ in range(at_once)))
        return refused[0] if refused else None

    async def buy(self, usd: str) -> Json:
        """Ask for credits: the payment intent."""
        answer = await self._send("/topup", {"usd": usd})
        answer.raise_for_status()
        intent: Json = answer.json()
        return intent

    async def left(self) -> Decimal:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.http.get("/account", headers=headers)
        return Decimal(answer.json()["credits_left"])

    async def wait_for_more_than(self, some: Decimal) -> None:
        """Until the gateway has heard of a purchase."""

        async def has_more() -> bool:
            return await self.left() > some

        await eventually(has_more, f"{self.name} has no more than {some} credits")

    async def _send(self, path: str, body: Any) -> httpx.Response:
        """Answers 503 are sent again: a gateway that is busy, or whose ledger is, says so."""
        headers = {"Authorization": f"Bearer {self.key}"}
        for _ in range(SENDS_MAX):
            answer = await self.http.post(path, json=body, headers=headers)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.5)
        return answer


class Payer:
    """Wallets on the sandbox's chains, and its clock."""

    def __init__(self, ledger: Ledger, gateway: httpx.AsyncClient) -> None:
        self._ledger = ledger
        self._gateway = gateway

    async def pay(
        self, intent: Json, asset: str, *, times: str = "1", behaviour: str = "normal"
    ) -> None:
        """Send so many times what is due in this asset."""
        option = next(it for it in intent["payment_options"] if it["asset"] == asset)
        decimals = len(option["amount"].partition(".")[2])
        amount = (Decimal(option["amount"]) * Decimal(times)).quantize(
            Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN
        )
        body = {
            "payment_intent_id": intent["id"],
            "network": option["network"],
            "asset": asset,
            "amount": f"{amount:f}",
            "behaviour": behaviour,
        }
        await self._ledger.post("/v1/sandbox/transfers", body, once=f"send-{intent['id']}")

    async def until(self, intent: Json, status: str) -> None:
        """Wait until the ledger says so."""

        async def is_so() -> bool:
            now = await self._ledger.get(f"/v1/payment_intents/{intent['id']}")
            return bool(now["status"] == status)

        await eventually(is_so, f"{intent['id']} is not {status}")

    async def until_confirmed(self, intent: Json) -> None:
        """Wait until what came is final, be it enough or not."""

        async def is_so() -> bool:
            now = await self._ledger.get(f"/v1/payment_intents/{intent['id']}")
            return any(it["status"] == "confirmed" for it in now["transfers"])

        await eventually(is_so, f"nothing of {intent['id']} is confirmed")

    async def resolve(self, intent: Json, choice: str, reason: str) -> Json:
        path = f"/v1/payment_intents/{intent['id']}/resolve"
        body = {"choice": choice, "reason": reason}
        return await self._ledger.post(path, body, once=f"resolve-{intent['id']}")

    async def wait_a_while(self, *, days: int = 0, seconds: int = 0) -> None:
        """Move the sandbox's clock on, and with it that of the gateway."""
        body = {"advance_seconds": days * 86_400 + seconds}
        answer = await self._gateway.post("/sandbox/clock", json=body)
        answer.raise_for_status()
