"""Who may call, and what they can still afford: all in memory, because every call asks.

`available` is what the ledger last said, and at which position; `pending` is what was served since
and is not in its books. An older answer of the ledger never replaces a newer one, so the order in
which answers come in does not matter.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from catalogue import MICRO, PLANS, WELCOME_DAYS, Plan
from ledger import Json, Ledger
from spool import Signup, Spool

KEY_PREFIX: Final = "gw_"


@dataclass(slots=True)
class Customer:
    """A credit account of the ledger, as the gateway knows it."""

    account_id: str
    name: str
    plan: Plan
    available: int = 0  # millionths of a credit, by the ledger
    position: int = -1  # where in the ledger's log that was so
    pending: int = 0  # served, or being served, and not yet in the ledger's books
    month: str = ""
    units: int = 0  # of this month

    @property
    def left(self) -> int:
        return self.available - self.pending

    def hear(self, available_minor: str, position: int) -> None:
        """What the ledger says; at one position it can change only by credits that lapse."""
        if position >= self.position:
            self.available, self.position = int(available_minor), position


class Customers:
    """All of them, by their keys and by their accounts."""

    def __init__(self, ledger: Ledger, spool: Spool) -> None:
        self._ledger = ledger
        self._spool = spool
        self._by_key: dict[str, Customer] = {}
        self.by_account: dict[str, Customer] = {}
        pending = spool.pending()
        for signup in spool.customers():
            customer = self._take(signup)
            customer.pending = pending.get(customer.account_id, 0)

    def find(self, key: str) -> Customer | None:
        return self._by_key.get(_digest(key))

    async def sign_up(self, name: str, plan: Plan) -> tuple[str, Customer]:
        """Open a credit account with its welcome credits. The key is told this once."""
        key = KEY_PREFIX + secrets.token_urlsafe(24)
        digest = _digest(key)
        body = {"external_id": f"gateway-{digest[:16]}", "name": name}
        account = await self._ledger.post("/v1/credit_accounts", body, once=f"signup-{digest}")
        # The ledger's time decides when credits lapse, and in a sandbox it is not this machine's.
        lapse = datetime.fromisoformat(account["created_at"]) + timedelta(days=WELCOME_DAYS)
        grant = {
            "amount": str(plan.welcome_credits),
            "source": "promotion",
            "expires_at": lapse.isoformat().replace("+00:00", "Z"),
        }
        path = f"/v1/credit_accounts/{account['id']}/grants"
        await self._ledger.post(path, grant, once=f"welcome-{digest}")
        signup = Signup(digest, account["id"], name, plan.name)
        self._spool.sign_up(signup)
        customer = self._take(signup)
        await self.refresh(customer)
        return key, customer

    async def refresh(self, customer: Customer, *, at_least: int = 0) -> Json:
        """Ask the ledger how this customer stands, once its read model is at this position."""
        path = f"/v1/credit_accounts/{customer.account_id}"
        account = await self._ledger.get(path, min_position=at_least)
        customer.hear(account["balance"]["available_minor"], account["position"])
        return account

    def volume(self, customer: Customer, month: str) -> int:
        """Units of this month before the call at hand."""
        if customer.month != month:
            customer.units = self._spool.units(customer.account_id, month)
            customer.month = month
        return customer.units

    def _take(self, signup: Signup) -> Customer:
        customer = Customer(signup.account_id, signup.name, PLANS[signup.plan])
        self._by_key[signup.key_digest] = customer
        self.by_account[signup.account_id] = customer
        return customer


def in_credits(micro: int) -> str:
    """Millionths as the ledger writes credits."""
    sign = "-" if micro < 0 else ""
    return f"{sign}{abs(micro) // MICRO}.{abs(micro) % MICRO:06d}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
