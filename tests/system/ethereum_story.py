"""Many payments on a real Ethereum node, told from outside: asked for, paid well and badly, and looked at."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.system.kinds_of_payers import Kind, Promise, shown
from tests.system.payers import BACK, GONE, PAUPER, Payers
from tests.system.running_ledger import RunningLedger, create_payment, eventually

EXPIRES_SECONDS = 900
SETTLED_SECONDS_MAX = 60


class Story:
    """Payments, their payers, and what became of them."""

    def __init__(self, ledger: RunningLedger, payers: Payers, chance: random.Random) -> None:
        self.ledger = ledger
        self.payers = payers
        self.chance = chance
        self.promises: list[Promise] = []
        self._signed: dict[str, list[str]] = {}

    # Before.

    def ask_for(self, how_many: dict[Kind, int]) -> None:
        """Ask for payments through the API, a few at a time, in an order of chance."""
        kinds = [kind for kind, count in how_many.items() for _ in range(count)]
        self.chance.shuffle(kinds)
        wishes = [(number, kind, *self._wish(kind)) for number, kind in enumerate(kinds)]
        with self.ledger.client() as client, ThreadPoolExecutor(8) as pool:

            def ask(wish: tuple[int, Kind, str, str]) -> Promise:
                number, kind, asset, amount = wish
                pay_with = [{"network": "ethereum", "asset": asset}]
                order = f"order-{number}"
                payment = create_payment(
                    client, order, amount=amount, pay_with=pay_with, reference=f"{kind} {order}"
                )
                return Promise(kind, payment)

            self.promises = list(pool.map(ask, wishes))

    def _wish(self, kind: Kind) -> tuple[str, str]:
        asset = "USDC" if kind == "in_vain" else self.chance.choice(["ETH", "USDC"])
        return asset, f"{self.chance.randint(100, 20_000) / 100:.2f}"

    def of(self, *kinds: Kind) -> list[Promise]:
        return [promise for promise in self.promises if promise.kind in kinds]

    def in_two(self, *kinds: Kind) -> tuple[list[Promise], list[Promise]]:
        found = self.of(*kinds)
        middle = len(found) // 2
        return found[:middle], found[middle:]

    # Paying.

    def pay(self, promises: Sequence[Promise]) -> None:
        """Send all of it, shuffled, with a block after every few transfers."""
        wishes = [(p, asset, units) for p in promises for asset, units in p.transfers()]
        self.chance.shuffle(wishes)
        for number, (promise, asset, units) in enumerate(wishes, start=1):
            sender = self.payers.accounts[PAUPER] if promise.kind == "in_vain" else None
            promise.sent.append(self.payers.pay(promise.address, asset, units, sender))
            if number % 8 == 0:
                self.payers.mine()
        self.payers.mine()

    def pay_what_is_taken_back(self, blocks: int) -> list[Promise]:
        """Fill so many blocks with nothing else; returns those whose transfers will come back."""
        gone, back = self.of("gone"), self.of("back")
        victims = [(promise, GONE) for promise in gone] + [(promise, BACK) for promise in back]
        self.chance.shuffle(victims)
        for block in range(blocks):
            for promise, account in victims[block::blocks]:
                ((asset, units),) = promise.transfers()
                sender = self.payers.accounts[account]
                promise.sent.append(self.payers.pay(promise.address, asset, units, sender))
            self.payers.mine()
        in_their_order = [p for block in range(blocks) for p, _ in victims[block::blocks]]
        back = [promise for promise in in_their_order if promise.kind == "back"]
        for promise in back:
            self._signed[promise.id] = [self.payers.signed(sent) for sent in promise.sent]
        return back

    def send_again(self, promises: Sequence[Promise]) -> None:
        for promise in promises:
            self.payers.again(self._signed[promise.id])
        self.payers.mine()

    def let_time_run_out(self) -> None:
        """For the merchants, and on the chain; until the ledger has noticed."""
        self.ledger.flamewire("sandbox", "advance", str(EXPIRES_SECONDS + 60))
        self.payers.let_pass(EXPIRES_SECONDS + 60)

        def is_noticed() -> bool:
            seen = self.seen()
            return all(seen[promise.id]["status"] == "expired" for promise in self.of("late"))

        eventually(is_noticed, seconds=SETTLED_SECONDS_MAX)

    # Looking.

    def seen(self) -> dict[str, dict[str, Any]]:
        """Every payment as the API lists it, by id."""
        found: dict[str, dict[str, Any]] = {}
        query: dict[str, str] = {"limit": "100"}
        with self.ledger.client() as client:
            while True:
                page = client.get("/v1/payment_intents", params=query)
                if page.status_code != 200:
                    raise httpx.TransportError(page.text)
                found |= {payment["id"]: payment for payment in page.json()["data"]}
                if not page.json()["has_more"]:
                    return found
                query["starting_after"] = page.json()["data"][-1]["id"]

    def wait_until_transfers_are(self, status: str, promises: Sequence[Promise]) -> None:
        """Every transfer of these payments, of which there is one at least."""

        def is_so() -> bool:
            seen = self.seen()
            return all(
                {transfer["status"] for transfer in seen[promise.id]["transfers"]} == {status}
                for promise in promises
            )

        eventually(is_so, seconds=SETTLED_SECONDS_MAX)

    def standing(self, promises: Sequence[Promise]) -> set[tuple[str, ...]]:
        """Status and labels of these payments."""
        seen = self.seen()
        return {(seen[p.id]["status"], *sorted(seen[p.id]["labels"])) for p in promises}

    def is_as_it_should_be(self, promises: Sequence[Promise] | None = None) -> None:
        """These payments (or all) become what the contract's table has for them."""
        promises = self.promises if promises is None else promises

        def differences() -> list[tuple[str, Any, Any]]:
            seen = self.seen()
            assert seen.keys() == {promise.id for promise in self.promises}
            pairs = [(p.kind, shown(seen[p.id]), p.as_it_should_be()) for p in promises]
            return [(kind, is_, ought) for kind, is_, ought in pairs if is_ != ought]

        try:
            eventually(lambda: not differences(), seconds=SETTLED_SECONDS_MAX)
        except AssertionError:
            print("".join(self.ledger.output[-20:]))
            assert differences()[:5] == []

    # Counting.

    def books_are_what_the_chain_says(self) -> None:
        """Payment by payment, and in sum: nothing twice, nothing lost."""
        seen = self.seen()
        arrived: Counter[str] = Counter()
        for promise in self.promises:
            held = self.payers.held_at(promise.address)
            assert held == promise.arrived(), promise
            arrived.update(held)
            confirmed: Counter[str] = Counter()
            for transfer in seen[promise.id]["transfers"]:
                if transfer["status"] == "confirmed":
                    confirmed[self._name(transfer["asset"])] += int(transfer["amount_minor"])
            assert confirmed == Counter(held), promise
        with self.ledger.client() as client:
            balances = client.get("/v1/balances", params={"account": "assets:wallet"}).json()
            trial = client.get("/v1/ledger/trial_balance").json()
        booked = {self._name(row["asset"]): int(row["balance_minor"]) for row in balances["data"]}
        assert {asset: units for asset, units in booked.items() if units} == dict(arrived)
        assert trial["is_balanced"]

    def _name(self, asset: str) -> str:
        return "other" if asset == self.payers.unlisted else asset
