"""A ledger in memory that takes payments, a sandbox chain, and its watcher."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.decider import Envelope, Failed, Outcome
from flamewire_ledger.commands.merchant import envelope as merchant_envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    LatePolicy,
    PaymentOption,
    PaymentRequested,
    RequestPayment,
)
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.processes.watching import Watching
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.chains.sandbox_world import SandboxWorld

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
CODEC = Codec()
DUE = 60_606_061


class ReadModels:
    """The read models a watcher asks, folded from the store as far as the test lets them be."""

    def __init__(self, store: MemoryEventStore) -> None:
        self._store = store
        self.lags = False
        self.is_parked = False  # no address can be found
        self.waited_for: list[tuple[int, int, tuple[str, ...]]] = []
        self._seen: dict[int, list[Any]] = {}

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        self.waited_for.append((partition, position, tuple(names)))
        if self.lags:
            return False
        self._seen[partition] = await self._store.read(partition, 0, 100_000, until=position)
        return True

    def forget(self) -> None:
        self._seen.clear()

    def _facts(self, name: str) -> list[tuple[str, Any]]:
        return [
            (each.merchant_id, CODEC.decode(each))
            for events in self._seen.values()
            for each in events
            if each.type == name
        ]

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 10_000
    ) -> Sequence[dict[str, Any]]:
        return [
            {
                "address": option.address,
                "payment_id": fact.payment_id,
                "merchant_id": merchant_id,
                "expires_at": fact.expires_at,
                "requested_at": fact.requested_at,
                "identified_by": option.identified_by,
                "mark": option.mark,
                "asset": option.due.asset.code,
                "due_units": option.due.units,
            }
            for merchant_id, fact in reversed(self._facts(PaymentRequested.type))
            for option in fact.options
            if option.network == network and option.address in addresses and not self.is_parked
        ][:limit]

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, Any]
    ) -> Sequence[dict[str, Any]]:
        """Of payments at an address of many, newest first."""
        kind = {"deposits_marked": "mark", "deposits_due": "amount"}[question]
        rows = await self.deposits_at(parameters["network"], parameters["addresses"])
        rows = [row for row in rows if row["identified_by"] == kind]
        match question:
            case "deposits_marked":
                places = set(zip(parameters["addresses"], parameters["marks"], strict=True))
                return [row for row in rows if (row["address"], row["mark"]) in places]
            case "deposits_due":
                names = ("addresses", "assets", "units")
                due = set(zip(*(parameters[name] for name in names), strict=True))
                asked = ("address", "asset", "due_units")
                return [row for row in rows if tuple(row[name] for name in asked) in due]
        raise AssertionError(question)

    async def merchant(self, merchant_id: str) -> dict[str, Any] | None:
        for _, fact in self._facts("merchant.registered.v1"):
            if fact.merchant_id == merchant_id:
                return {"livemode": fact.livemode}
        return None

    async def payment(self, merchant_id: str, payment_id: str) -> dict[str, Any] | None:
        for _, fact in self._facts(PaymentRequested.type):
            if fact.payment_id == payment_id:
                asset = fact.amount.asset
                return {"currency": asset.code, "decimals": asset.decimals}
        return None


class Office:
    """A ledger in memory that takes payments, a sandbox chain, and its watcher."""

    def __init__(self, partitions: int = 1, identifies_by: IdentifiesBy = "address") -> None:
        self.world = SandboxWorld("bittensor", identifies_by=identifies_by)
        self.store = MemoryEventStore(lambda: NOON, partitions)
        self.writer = Writer(self.store, CODEC)
        self.reads = ReadModels(self.store)
        self.state = MemoryFollowerState()
        self.watching = self.watch(self.writer)

    def watch(self, writer: Any, **changes: Any) -> Watching:
        chain = self.world.chain
        shared = None if self.world.identifies_by == "address" else chain.deposit(0).address
        given: dict[str, Any] = {
            "network": chain.network, "shared_address": shared, **changes
        }  # fmt: skip
        board = PriceBoard(sandbox_feeds(lambda: self.now))
        return Watching(
            store=self.store, reads=self.reads, writer=writer, prices=board,
            now=lambda: self.now, **given,
        )  # fmt: skip

    @property
    def now(self) -> datetime:
        return self.world.real_now + self.world.ahead

    async def catch_up(self) -> None:
        await Follower(self.world.chain, self.watching, self.state).catch_up()

    async def register(self, name: str, *, livemode: bool = False) -> str:
        merchant_id = derived_id("mer", NOON, name)
        command = RegisterMerchant(merchant_id, name, livemode, NOON)
        origin = Origin(command_id("register", name), merchant_id, "test")
        await self.writer.submit(merchant_envelope(origin, command))
        return merchant_id

    async def ask(
        self,
        number: int,
        merchant_id: str,
        *,
        currency: Asset = USD,
        late_policy: LatePolicy | None = None,
        network: str = "bittensor",
    ) -> str:
        """Ask for 25 of the currency at the chain's deposit address of that number."""
        payment_id = derived_id("pi", NOON, str(number))
        deposit = self.world.chain.deposit(number)
        option = PaymentOption(
            network=network,
            chain_id="sandbox:bittensor",
            asset_id="sandbox:bittensor/slip44:1005",
            due=Amount(TAO, DUE + deposit.adds_units),
            address=deposit.address,
            uri="",
            price_lock_id=None,
            derivation=deposit.derivation,
            identified_by=self.world.identifies_by,
            memo=deposit.memo,
            mark=deposit.mark,
        )
        command = RequestPayment(
            payment_id=payment_id,
            amount=Amount(currency, 25 * currency.units_per_major),
            options=(option,),
            credits=None,
            credit_account_id=None,
            reference=None,
            requested_at=self.now,
            expires_at=self.now + timedelta(minutes=15),
            **({"late_policy": late_policy} if late_policy else {}),  # type: ignore[arg-type]
        )
        origin = Origin(command_id("ask", str(number)), merchant_id, "test")
        await self.writer.submit(payments.envelope(origin, command))
        return payment_id

    async def pay(self, number: int, units: int | None = None, **how: Any) -> Transfer:
        """As the payment of that number asks for, unless it is said otherwise."""
        deposit = self.world.chain.deposit(number)
        how = {"behaviour": "normal", "mark": deposit.mark, **how}
        due = DUE + deposit.adds_units
        return await self.world.play(deposit.address, due if units is None else units, **how)

    async def facts(self, payment_id: str) -> list[Any]:
        found = []
        for partition in range(self.store.partitions):
            events = await self.store.read_stream(partition, payment_id)
            found += [CODEC.decode(each) for each in events]
        return found

    async def types(self, payment_id: str) -> list[str]:
        """What was recorded of a payment, without `payment.` and the version."""
        return [fact.type.split(".")[1] for fact in await self.facts(payment_id)]


class BadWriter:
    """A writer that answers what it is told to."""

    def __init__(self, writer: Writer, outcome: Outcome | Failed, payment_id: str) -> None:
        self._writer = writer
        self.outcome: Outcome | Failed | None = outcome
        self._payment_id = payment_id

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        outcomes = await self._writer.submit_many([e for e in envelopes if not self._is_bad(e)])
        good = iter(outcomes)
        return [self.outcome if self._is_bad(e) and self.outcome else next(good) for e in envelopes]

    def _is_bad(self, envelope: Envelope) -> bool:
        return self.outcome is not None and envelope.subjects[0].stream_id == self._payment_id
