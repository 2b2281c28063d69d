"""Payments on a real Ethereum node, from outside: two hundred of them, through a reorganisation and
two power cuts, compared with what the chain says in the end.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.anvil import Anvil
from tests.system.ethereum_guide import local_networks_file
from tests.system.kinds_of_payers import HOW_MANY, Kind, Promise, shown
from tests.system.payers import BACK, GONE, PAUPER, Payers
from tests.system.running_ledger import RunningLedger, create_payment, eventually

# One worker runs all of these, one after the other: each keeps a core busy.
pytestmark = [pytest.mark.xdist_group("real-ethereum"), pytest.mark.slow]

EXPIRES_SECONDS = 900
SETTLED_SECONDS_MAX = 60
TAKEN_BACK_BLOCKS = 5  # fewer than it takes to be final


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be had again: FLAMEWIRE_TEST_SEED."""
    seed = int(os.environ.get("FLAMEWIRE_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"FLAMEWIRE_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def payers(anvil: Anvil, chance: random.Random) -> Payers:
    return Payers(anvil, chance)


@pytest.fixture
def ledger(payers: Payers, tmp_path: Path) -> Iterator[RunningLedger]:
    """A ledger with the guide's networks file; it is not started yet."""
    networks = tmp_path / "networks.toml"
    networks.write_text(local_networks_file(payers.anvil.url, ("USDC", payers.usdc)))
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_two_hundred_payments_through_a_reorganisation_and_two_power_cuts(
    ledger: RunningLedger, payers: Payers, chance: random.Random
):
    ledger.start()
    story = Story(ledger, payers, chance)
    story.ask_for(HOW_MANY)
    before, after = story.in_two("exact", "in_parts", "short", "over", "twice", "wrong_token",
                                 "other_token", "in_vain")  # fmt: skip

    story.pay(before)
    payers.mine(2)
    abandoned = story.pay_what_is_taken_back()
    story.wait_until_included(abandoned)

    payers.anvil.reorganise(TAKEN_BACK_BLOCKS)
    ledger.kill()
    came_back_unseen, comes_back_seen = abandoned[::2], abandoned[1::2]
    story.send_again(came_back_unseen)
    half = len(after) // 2
    story.pay(after[:half])
    ledger.start()
    story.wait_until_dropped(comes_back_seen)
    story.send_again(comes_back_seen)
    story.pay(after[half:])

    payers.make_final()
    time.sleep(chance.uniform(0, 0.4))
    ledger.kill()  # in the middle of confirming
    ledger.start()

    story.let_time_run_out()
    story.pay(story.of("late"))
    payers.make_final()
    story.is_as_it_should_be()
    story.books_are_what_the_chain_says()
    assert "NOT SO" not in ledger.flamewire("verify").stdout


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

    def pay_what_is_taken_back(self) -> list[Promise]:
        """Fill the last blocks with nothing else; returns those that will come back."""
        gone, back = self.of("gone"), self.of("back")
        for promises, account in ((gone, GONE), (back, BACK)):
            for promise in promises:
                ((asset, units),) = promise.transfers()
                sender = self.payers.accounts[account]
                promise.sent.append(self.payers.pay(promise.address, asset, units, sender))
                if self.chance.random() < 0.1:
                    self.payers.mine()
        self.payers.mine()
        for promise in back:
            self._signed[promise.id] = [self.payers.signed(sent) for sent in promise.sent]
        return back

    def send_again(self, promises: Sequence[Promise]) -> None:
        for promise in promises:
            self.payers.again(self._signed[promise.id])
        self.payers.mine()

    def let_time_run_out(self) -> None:
        """For the merchants, and on the chain."""
        self.ledger.flamewire("sandbox", "advance", str(EXPIRES_SECONDS + 60))
        self.payers.let_pass(EXPIRES_SECONDS + 60)

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

    def wait_until_included(self, promises: Sequence[Promise]) -> None:
        self._wait(promises, {"included"})

    def wait_until_dropped(self, promises: Sequence[Promise]) -> None:
        self.payers.mine(2)  # a transfer is given up when the chain has gone on without it
        self._wait(promises, {"dropped"})

    def _wait(self, promises: Sequence[Promise], statuses: set[str]) -> None:
        def is_so() -> bool:
            seen = self.seen()
            return all(
                {transfer["status"] for transfer in seen[promise.id]["transfers"]} == statuses
                for promise in promises
            )

        eventually(is_so, seconds=SETTLED_SECONDS_MAX)

    def is_as_it_should_be(self) -> None:
        """Every payment, as the contract's table has it."""
        wanted = {promise.id: promise.as_it_should_be() for promise in self.promises}

        def differences() -> list[tuple[str, Any, Any]]:
            seen = self.seen()
            assert seen.keys() == wanted.keys()
            return [
                (promise.kind, shown(seen[promise.id]), wanted[promise.id])
                for promise in self.promises
                if shown(seen[promise.id]) != wanted[promise.id]
            ]

        try:
            eventually(lambda: not differences(), seconds=SETTLED_SECONDS_MAX)
        except AssertionError:
            assert differences()[:5] == [], "".join(self.ledger.output[-20:])

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
        booked = {self._name(row["asset"]): int(row["debits_minor"]) for row in balances["data"]}
        assert booked == dict(arrived)
        assert all(int(row["credits_minor"]) == 0 for row in balances["data"])
        assert trial["is_balanced"]

    def _name(self, asset: str) -> str:
        return "other" if asset == self.payers.unlisted else asset
