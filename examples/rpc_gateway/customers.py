"""Who may call: keys, and the credit account behind each. In memory, because every call asks.

A real gateway has a table of users in the place of this file. The ledger knows nothing of keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from catalogue import OVERAGE_CREDITS, RPC
from ledger import Ledger, Unreachable

KEY_PREFIX: Final = "gw_"
_ASKS_MAX: Final = 200
_ASK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Customer:
    """A credit account of the ledger. The key itself is not kept, only its digest."""

    key_digest: str
    account_id: str
    subscription_id: str
    name: str
    plan: str


class Customers:
    """All of them, from a file of lines."""

    def __init__(self, ledger: Ledger, file: Path) -> None:
        self._ledger = ledger
        self._file = file
        known = file.read_text().splitlines() if file.exists() else []
        found = [Customer(**json.loads(line)) for line in known]
        self._by_digest = {it.key_digest: it for it in found}

    def find(self, key: str) -> Customer | None:
        return self._by_digest.get(_digest(key))

    async def sign_up(self, name: str, plan: str) -> tuple[str, Customer]:
        """Open a credit account and subscribe it to a plan. The key is told this once."""
        key = KEY_PREFIX + secrets.token_urlsafe(24)
        digest = _digest(key)
        body = {"external_id": f"gateway-{digest[:16]}", "name": name}
        body["overage_max"] = OVERAGE_CREDITS
        account = await self._ledger.post("/v1/credit_accounts", body, once=f"account-{digest}")
        subscribed = await self._ledger.post(
            "/v1/subscriptions",
            {"credit_account_id": account["id"], "plan": plan},
            once=f"subscription-{digest}",
        )
        await self._until_credits(account["id"])
        customer = Customer(digest, account["id"], subscribed["id"], name, plan)
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(customer)) + "\n")
        self._by_digest[digest] = customer
        return key, customer

    async def _until_credits(self, account_id: str) -> None:
        """What a plan includes is granted right behind the subscription."""
        for _ in range(_ASKS_MAX):
            may = await self._ledger.get(f"/v1/entitlements/{account_id}/{RPC}")
            if may["entitled"]:
                return
            await asyncio.sleep(_ASK_SECONDS)
        raise Unreachable("the ledger has not granted what the plan includes yet")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
