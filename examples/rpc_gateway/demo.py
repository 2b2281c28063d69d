"""A month of a metered RPC gateway, played in half a minute, and proved at its end."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import httpx
from billing import Billing
from cast import Customer, Payer, eventually
from charts import draw
from children import Child, LedgerProgram, gateway, node
from ledger import Ledger
from outcome import check, gather, write, write_summary
from rich.console import Console
from tables import show

Say = Callable[[str], None]


async def play(out: Path, *, seed: int) -> int:
    """0 when everything that has to be true at the end is."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    shutil.rmtree(out / "work", ignore_errors=True)  # the last run's ledger
    work = out / "work"
    work.mkdir(parents=True)
    program = LedgerProgram(work / "ledger", work)
    children: list[Child] = [program]
    try:
        program.begin()
        upstream = node(work)
        children.insert(0, upstream)
        upstream.start()
        door = gateway(work, program, upstream, work / "gateway.sqlite")
        children.insert(0, door)
        door.start()
        console.print(f"ledger {program.url} · gateway {door.url} · output {out}\n")
        ledger = Ledger(program.url, program.key)
        async with httpx.AsyncClient(base_url=door.url, timeout=30) as http:
            month = Month(program, ledger, http, random.Random(seed), console.print)  # noqa: S311 (it plays)
            await month.play()
        outcome = await gather(ledger, work / "gateway.sqlite", month.customers)
        await write(out, outcome, ledger)
        draw(out, outcome)
        checks = check(out, outcome, program)
        write_summary(out, outcome, checks)
        await ledger.close()
    finally:
        for child in children:
            child.stop()
    show(console, outcome, checks, out)
    return 0 if all(it.is_so for it in checks) else 1


class Month:
    """What happens, in its order."""

    def __init__(
        self,
        program: LedgerProgram,
        ledger: Ledger,
        http: httpx.AsyncClient,
        chance: random.Random,
        say: Say,
    ) -> None:
        self._program = program
        self._ledger = ledger
        self._http = http
        self._chance = chance
        self._say = say
        self._payer = Payer(ledger)
        self.customers: list[Customer] = []

    async def play(self) -> None:
        await self._sign_up()
        self._say("day  1  everybody signs up; four buy credits, each in another asset")
        await self._purchases()
        self._say("day  2  calls, and in the middle of them the ledger is killed")
        await self._traffic_while_the_ledger_is_away()
        await self._payer.wait_a_while(days=9)
        self._say("day 11  more calls; one on the free plan runs out, and pays what the 402 offers")
        await self._run_out_and_top_up()
        await self._invoices()
        await self._payer.wait_a_while(days=6)
        self._say("day 17  what is left of the welcome credits has lapsed")
        await self._traffic(150)
        await self._payer.wait_a_while(days=13)
        self._say("day 30  the month is over")
        await self._settled()

    async def _sign_up(self) -> None:
        cast = (
            ("Ada Labs", "pro"),
            ("Borealis Wallet", "pro"),
            ("Cobalt Analytics", "enterprise"),
            ("Delta Indexers", "pro"),
            ("Evergreen Games", "free"),
            ("Fjord Weekend Project", "free"),
        )
        for name, plan in cast:
            self.customers.append(await Customer.sign_up(self._http, name, plan))

    async def _purchases(self) -> None:
        ada, borealis, cobalt, delta, _, fjord = self.customers
        payer = self._payer
        exact, short, much = (
            await ada.buy("25.00"),
            await borealis.buy("20.00"),
            await cobalt.buy("80.00"),
        )
        await fjord.buy("5.00")  # never paid: it expires
        await payer.pay(exact, "TAO")
        await payer.pay(short, "ETH", times="0.9")
        await payer.pay(much, "USDC", times="1.1")
        await payer.until(exact, "succeeded")
        await payer.until(much, "succeeded")
        await payer.resolve(much, "refund", "a tenth too much; they want it back")
        await payer.until_confirmed(short)  # it is there before its time is up
        late = await delta.buy("30.00")
        await payer.pay(late, "SUI", behaviour="late")  # which moves the clock past both
        await payer.until(short, "requires_action")
        await payer.until(late, "requires_action")
        await payer.resolve(short, "credit", "credits for what came")
        await payer.resolve(late, "accept", "five minutes late, and the price had not moved")
        for customer in (ada, borealis, cobalt, delta):
            await customer.wait_for_more_than(Decimal(1_500))

    async def _traffic(self, calls: int) -> None:
        """Everybody but the weekend project, each as much as the plan suggests."""
        share = {"free": 1, "pro": 3, "enterprise": 6}
        busy = self.customers[:-1]
        seeds = [random.Random(self._chance.random()) for _ in busy]  # noqa: S311 (it plays)
        await asyncio.gather(
            *(
                it.call(seed, calls * share[it.plan] // 3)
                for it, seed in zip(busy, seeds, strict=True)
            )
        )

    async def _traffic_while_the_ledger_is_away(self) -> None:
        traffic = asyncio.create_task(self._traffic(200))
        await asyncio.sleep(0.3)
        self._program.kill()
        await traffic
        waiting = (await self._http.get("/health")).json()["calls_waiting"]
        self._say(f"        {waiting} calls were served and wait on disk; it is started again")
        await asyncio.to_thread(self._program.begin)
        await self._settled()

    async def _run_out_and_top_up(self) -> None:
        evergreen, fjord = self.customers[4], self.customers[5]
        await fjord.call(self._chance, 10)
        offer = None
        while offer is None:
            offer = await evergreen.call(self._chance, 60)
        self._say(f"        402: {offer['detail']}")
        intent = await self._ledger.get(f"/v1/payment_intents/{offer['payment_intent_id']}")
        before = await evergreen.left()
        await self._payer.pay(intent, "SUI")
        await evergreen.wait_for_more_than(before)
        await evergreen.call(self._chance, 60)

    async def _invoices(self) -> None:
        """What is not sold for credits: one is paid on chain and credited in part, one is not."""
        ada, _, cobalt, *_ = self.customers
        billing = Billing(self._ledger)
        await billing.describe_seller()
        fee = await billing.invoice(cobalt, "Platform fee, enterprise", "99.00")
        await self._payer.pay(await billing.ask(fee), "ETH")
        await billing.until_paid(fee)
        await billing.credit(fee, "9.90", "a tenth off: the ledger was away on day 2")
        await billing.invoice(ada, "Dedicated endpoint, set-up", "40.00")

    async def _settled(self) -> None:
        """Until the ledger has every call that was served."""

        async def are_all_sent() -> bool:
            return not (await self._http.get("/health")).json()["calls_waiting"]

        await eventually(are_all_sent, "calls still wait for the ledger")
