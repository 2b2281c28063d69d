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
from catalogue import RPC, publish
from ledger import Ledger
from rich.console import Console

from month.billing import Billing
from month.cast import Customer, Payer, eventually
from month.children import Child, LedgerProgram, gateway, node
from month.files import take_out
from month.outcome import check, gather, write_summary
from month.tables import show

Say = Callable[[str], None]
_CAST = (
    ("Ada Labs", "pro"),
    ("Borealis Wallet", "pro"),
    ("Cobalt Analytics", "enterprise"),
    ("Delta Indexers", "pro"),
    ("Evergreen Games", "free"),
    ("Fjord Weekend Project", "free"),
)


async def play(out: Path, *, seed: int) -> int:
    """0 when everything that has to be true at the end is."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    shutil.rmtree(out / "work", ignore_errors=True)  # the last run's ledger
    work = out / "work"
    work.mkdir(parents=True)
    program = LedgerProgram(work / "ledger", work)
    children: list[Child] = [program]
    try:
        upstream = node(work)
        children.insert(0, upstream)
        await asyncio.gather(asyncio.to_thread(program.begin), asyncio.to_thread(upstream.start))
        door = gateway(work, program, upstream, work / "gateway")
        children.insert(0, door)
        door.start()
        console.print(f"ledger {program.url} · gateway {door.url} · output {out}\n")
        ledger = Ledger(program.url, program.key)
        async with httpx.AsyncClient(base_url=door.url, timeout=30) as http:
            month = Month(program, ledger, http, random.Random(seed), console.print)  # noqa: S311 (it plays)
            await month.play()
            health = (await http.get("/health")).json()
        proof = asyncio.create_task(asyncio.to_thread(program.flamewire, "verify"))
        position = await take_out(out, ledger)
        outcome = await gather(out, ledger, position, month.customers, health["calls_reported"])
        checks = check(out, outcome, await proof)
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
        self._payer = Payer(ledger, http)
        self._billing = Billing(ledger)
        self.customers: list[Customer] = []

    async def play(self) -> None:
        self._say("day  1  meters and plans are published; six sign up, four buy credits")
        await publish(self._ledger)
        await self._billing.describe_seller()
        for name, plan in _CAST:
            self.customers.append(await Customer.sign_up(self._http, name, plan))
        await self._purchases()
        self._say("day  2  calls, and in the middle of them the ledger is killed")
        await self._traffic_while_the_ledger_is_away()
        await self._payer.wait_a_while(days=9)
        self._say("day 11  one on the free plan runs out, and pays what the 402 offers")
        await self._run_out_and_top_up()
        self._say("day 11  plans are paid in TAO, ETH and SUI; one is not")
        await self._plans()
        self._say("day 12  some ETH and TAO are sold")
        await self._payer.wait_a_while(days=1)
        await self._treasury()
        await self._payer.wait_a_while(days=21)
        await self._settled()
        self._say("day 33  the next month begins: what plans included and nobody used has lapsed")
        await self._a_new_month()
        await self._settled()
        self._say("day 34  that day is over: what was bought and burnt by its end is revenue")
        await self._payer.wait_a_while(days=1)
        await self._billing.until_earned(self.customers)

    async def _purchases(self) -> None:
        """One pays what is due, one too little, one too much, one too late, and one never."""
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
        await self._billing.until_priced("USDC")
        await self._billing.give_back("8", "USDC", "ethereum", cobalt.name)

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
        await asyncio.gather(*(it.knock() for it in self.customers[:-1]))
        self._program.kill()
        await self._traffic(200)
        waiting = (await self._http.get("/health")).json()["calls_waiting"]
        self._say(f"        {waiting} calls were served and wait on disk; it is started again")
        await asyncio.to_thread(self._program.begin)
        await self._settled()

    async def _run_out_and_top_up(self) -> None:
        evergreen, fjord = self.customers[4], self.customers[5]
        await fjord.call(self._chance, 10)
        offer = None
        while offer is None:
            offer = await evergreen.call(self._chance, 30, at_once=2)
        self._say(f"        402: {offer['detail']}")
        intent = await self._ledger.get(f"/v1/payment_intents/{offer['payment_intent_id']}")
        await self._settled()  # what was on its way is owed, and is settled by what is bought
        await self._payer.pay(intent, "SUI")
        await evergreen.wait_for_more_than(Decimal(0))
        await evergreen.call(self._chance, 30, at_once=2)

    async def _plans(self) -> None:
        """Three are paid on chain, and one of them is credited in part; Borealis's never is."""
        ada, _, cobalt, delta, *_ = self.customers
        assets = ((ada, "TAO"), (cobalt, "ETH"), (delta, "SUI"))
        invoices = [await self._billing.of_plan(customer) for customer, _ in assets]
        for (_, asset), invoice in zip(assets, invoices, strict=True):
            await self._payer.pay(await self._billing.ask(invoice), asset)
        for invoice in invoices:
            await self._billing.until_paid(invoice)
        reason = "a tenth off: the ledger was away on day 2"
        await self._billing.credit(invoices[1], "9.90", reason)

    async def _treasury(self) -> None:
        """Of what came in twice, some is sold: at a gain, and at a loss."""
        await self._billing.sell("0.03", "ETH", "ethereum", "105.50")
        await self._billing.sell("0.08", "TAO", "bittensor", "31.90")

    async def _a_new_month(self) -> None:
        """Whoever did not pay is paused; who never bought credits has those of the new month."""
        borealis, fjord = self.customers[1], self.customers[5]

        async def is_over() -> bool:
            may = await self._ledger.get(f"/v1/entitlements/{borealis.account_id}/{RPC}")
            grants = f"/v1/credit_accounts/{fjord.account_id}"
            lapsed = (await self._ledger.get(grants))["balance"]["expired_minor"]
            return may["reason"] == "not_granted" and lapsed != "0"

        await eventually(is_over, "the month does not end")
        await borealis.call(self._chance, 10)
        assert borealis.tally.forbidden, "a plan that is paused lets nobody call"
        await self._traffic(30)

    async def _settled(self) -> None:
        """Until the ledger has every call that was served."""

        async def are_all_sent() -> bool:
            return not (await self._http.get("/health")).json()["calls_waiting"]

        await eventually(are_all_sent, "calls still wait for the ledger")
