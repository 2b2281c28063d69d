"""Two API processes on one store: what one did, the other knows."""

from __future__ import annotations

import asyncio

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.store.codec import Codec
from tests.api.world import World, app_over, world

ORDER = {"amount": "25.00", "currency": "USD"}


async def send(ledger: World, writer: Writer, body: dict, name: str) -> tuple[int, bytes, str]:
    async with app_over(ledger, writer) as client:
        headers = {"Authorization": f"Bearer {ledger.secret}", "Idempotency-Key": name}
        response = await client.post("/v1/payment_intents", json=body, headers=headers)
        return (
            response.status_code,
            response.content,
            response.headers.get("idempotent-replayed", "false"),
        )


async def test_a_repeat_at_another_process_is_told_the_same():
    async with world() as ledger:
        other = Writer(ledger.store, Codec())
        running = asyncio.create_task(other.run())
        first = await send(ledger, ledger.writer, ORDER, "a")
        again = await send(ledger, other, ORDER, "a")
        assert (first[0], first[2]) == (201, "false")
        assert again == (201, first[1], "true")
        changed = await send(ledger, other, {**ORDER, "amount": "26.00"}, "a")
        assert changed[0] == 422
        assert (await ledger.types()).count("payment.requested.v1") == 1
        other.stop()
        await running


async def test_both_at_once_make_one_intent():
    async with world() as ledger:
        other = Writer(ledger.store, Codec())
        running = asyncio.create_task(other.run())
        answers = await asyncio.gather(
            *(send(ledger, it, ORDER, "a") for it in (ledger.writer, other) * 5)
        )
        assert {status for status, _, _ in answers} == {201}
        assert len({body for _, body, _ in answers}) == 1
        assert (await ledger.types()).count("payment.requested.v1") == 1
        other.stop()
        await running
