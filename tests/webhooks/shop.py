"""A shop with webhooks: the API over a store in memory, and the process that announces and delivers."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import ConfirmTransfer, ExpirePayment, RecordTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.announcing import Announcing
from flamewire_ledger.processes.search import StoreSearch
from flamewire_ledger.processes.webhook_delivery import Delivering
from flamewire_ledger.processes.webhook_delivery import World as Surroundings
from flamewire_ledger.processes.webhook_registry import Registry
from flamewire_ledger.processes.webhooks import Webhooks
from flamewire_ledger.webhooks.post import Post
from flamewire_ledger.webhooks.send import Sender
from tests.api.world import World, world

ENDPOINTS = "/v1/webhook_endpoints"


@dataclass
class Shop:
    """`ledger` is the world of the API; `webhooks` what follows its log."""

    ledger: World
    sender: Sender
    webhooks: Webhooks
    made: list[dict[str, Any]] = field(default_factory=list)

    @property
    def queue(self) -> Any:
        return self.ledger.parts.webhooks.queue

    def restarted(self, post: Post | None = None, **changes: Any) -> Webhooks:
        """Another process over the same database, which knows nothing but that."""
        ledger = self.ledger
        registry = Registry(ledger.store, ledger.codec)
        desk, now = ledger.parts.webhooks, ledger.clock.now
        delivering = Delivering(
            registry,
            desk.queue,
            changes.pop("writer", ledger.writer),
            post or self.sender,
            changes.pop("sealer", desk.sealer),
            Surroundings(now, time.monotonic, desk.reach),
            meter=ledger.meters,
        )
        search = StoreSearch(ledger.store)
        announcing = Announcing(ledger.store, search, ledger.codec, registry, desk.queue, now)
        return Webhooks(
            ledger.store,
            announcing,
            delivering,
            desk.queue,
            now,
            **{"poll_seconds": 0.05, **changes},
        )

    async def endpoint(self, url: str, **fields: Any) -> dict[str, Any]:
        """A new endpoint as it was answered, with its secret."""
        answer = await self.ledger.post(ENDPOINTS, {"url": url, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        self.made.append(made)
        return made

    async def settle(self) -> int:
        """Announce everything, and try what is due."""
        return await self.webhooks.catch_up(0)

    async def intent(self, reference: str = "order-17", **fields: Any) -> dict[str, Any]:
        body = {"amount": "25.00", "currency": "USD", "reference": reference, **fields}
        answer = await self.ledger.post("/v1/payment_intents", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def see(self, intent: dict[str, Any]) -> None:
        """Its payer's transfer is seen."""
        at = self.ledger.clock.now()
        transfer = transfer_of(intent)
        await self._do(RecordTransfer(intent["id"], transfer, Block(7, "0xb7", at), at, at))

    async def confirm(self, intent: dict[str, Any]) -> None:
        """It is final: the intent has succeeded."""
        at = self.ledger.clock.now()
        block = Block(7, "0xb7", at)
        await self._do(ConfirmTransfer(intent["id"], transfer_of(intent), block, 3, at, at))

    async def expire(self, intent: dict[str, Any]) -> None:
        await self._do(ExpirePayment(intent["id"], self.ledger.clock.now()))

    async def _do(self, command: Any) -> None:
        self.ledger.sequence += 1
        origin = Origin(
            command_id("test", str(self.ledger.sequence)), self.ledger.merchant_id, "watcher:test"
        )
        assert isinstance(await self.ledger.writer.submit(payments.envelope(origin, command)), Done)


def transfer_of(intent: dict[str, Any]) -> Transfer:
    option = next(it for it in intent["payment_options"] if it["asset"] == "TAO")
    amount = Amount(Asset("bittensor:TAO", 9), int(option["amount_minor"]))
    transaction_id = "0x" + intent["id"][-20:]
    return Transfer(option["network"], transaction_id, 0, option["address"], amount)


@asynccontextmanager
async def a_shop(post: Post | None = None) -> AsyncIterator[Shop]:
    """Its clock begins at the real time: receivers judge signatures by theirs."""
    sender = Sender(ssl.create_default_context(), attempt_seconds=2)
    async with world() as ledger:
        ledger.clock.at = datetime.now(UTC)
        shop = Shop(ledger, sender, None)  # type: ignore[arg-type]  # it is made of the shop
        shop.webhooks = shop.restarted(post)
        yield shop
    await sender.aclose()
