"""What merchants ask of the ledger: accounts, payments, credits, holds, and a person's decisions.

Commands are those of the API, with keys that are used again: with the same content, and now and
then with other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.commands import (
    credit_account,
    merchant,
    payment,
    price_lock,
    unclaimed_transfer,
)
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision, Origin
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    CaptureHold,
    ConsumeCredits,
    GrantCredits,
    HoldCredits,
    OpenCreditAccount,
    ReleaseHold,
)
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant, merchant_id_of
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    CancelPayment,
    LatePolicy,
    PaymentOption,
    RequestPayment,
    ResolvePayment,
)
from flamewire_ledger.domain.price_lock import LockPrice, UsePriceLock
from flamewire_ledger.domain.unclaimed_transfer import AssignTransfer, GiveUpTransfer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from tests.simulation.client import Client, Sent
from tests.simulation.clock import Clock
from tests.simulation.roles import CODEC

USD = Asset("USD", 2)
OPERATOR = merchant_id_of("operator", livemode=False)
_POLICIES = (
    LatePolicy(),
    LatePolicy(),
    LatePolicy("honour", within_seconds=300),
    LatePolicy("reprice"),
)


def answer_of(decision: Decision) -> bytes:
    """What an answer is made of: every fact, to the byte."""
    return b"|".join(
        CODEC.encode(event).data for events in decision.facts.values() for event in events
    )


@dataclass
class Traffic:
    """Makes and sends random commands; `payments` has those that were acknowledged, newest last."""

    client: Client
    clock: Clock
    chance: Random
    chains: dict[str, SandboxChain]
    unclaimed: Callable[[], list[str]]  # what the operator is shown
    merchants: list[str] = field(default_factory=list)
    accounts: list[tuple[str, str]] = field(default_factory=list)  # (merchant, account)
    payments: list[tuple[str, RequestPayment]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    locks: list[tuple[str, LockPrice]] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self._board = PriceBoard(sandbox_feeds(self.clock.now))

    async def open_the_doors(self, merchants: int) -> None:
        """The merchants, and an account for each, before any fault."""
        for number in range(merchants):
            merchant_id = derived_id("mer", self.clock.now(), str(number))
            command = RegisterMerchant(merchant_id, f"merchant {number}", False, self.clock.now())
            await self.send("register", merchant_id, lambda o, c=command: merchant.envelope(o, c))
            self.merchants.append(merchant_id)
            await self.open_account(merchant_id)

    async def something(self) -> None:
        """One random command."""
        does = self.chance.choices(
            [
                self.ask_for_payment, self.open_account, self.lock_price, self.cancel,
                self.resolve, self.grant, self.consume, self.hold, self.end_hold, self.repeat,
                self.decide_on_unclaimed,
            ],
            [30, 3, 4, 5, 12, 8, 20, 8, 8, 8, 6],
        )[0]  # fmt: skip
        await does()

    async def a_rush(self) -> None:
        """Many at once, on one account: whoever comes second decides again."""
        merchant_id, account_id = self.chance.choice(self.accounts)
        for _ in range(2):
            now = self.clock.now()
            grant = GrantCredits(account_id, self.name("gr"), self.credits(30), "granted", now)
            await self.on_account("grant", merchant_id, grant)
        commands = [
            ConsumeCredits(account_id, self.credits(4), self.clock.now())
            for _ in range(self.chance.randint(10, 40))
        ]
        await asyncio.gather(
            *(self.on_account("consume", merchant_id, command) for command in commands)
        )

    async def open_account(self, merchant_id: str | None = None) -> None:
        merchant_id = merchant_id or self.chance.choice(self.merchants)
        account_id = self.name("ca")
        overage = self.chance.choice([0, 0, 0, 5_000_000])
        command = OpenCreditAccount(
            account_id, None, None, self.clock.now(), overage_max=Amount(CREDIT, overage)
        )
        if await self.on_account("open account", merchant_id, command):
            self.accounts.append((merchant_id, account_id))

    async def ask_for_payment(self) -> None:
        merchant_id = self.chance.choice(self.merchants)
        mine = [account for owner, account in self.accounts if owner == merchant_id]
        account_id = self.chance.choice(mine) if mine and self.chance.random() < 0.6 else None
        amount = Amount(USD, self.chance.randint(1, 100_00))
        command, locks = await self.payment_for(merchant_id, amount, account_id)
        if await self.send(
            "ask for payment", merchant_id, lambda o: payment.request(o, command, locks, answer_of)
        ):
            self.payments.append((merchant_id, command))

    async def payment_for(
        self,
        merchant_id: str,
        amount: Amount,
        account_id: str | None = None,
        invoice_id: str | None = None,
    ) -> tuple[RequestPayment, list[LockPrice | UsePriceLock]]:
        """A request for a payment, with whatever terms."""
        payment_id, now = self.name("pi"), self.clock.now()
        expires_at = now + timedelta(seconds=self.chance.choice([60, 300, 900]))
        options, locks = await self.options(merchant_id, payment_id, amount, expires_at)
        command = RequestPayment(
            payment_id=payment_id,
            amount=amount,
            options=tuple(options),
            credits=None if account_id is None else Amount(CREDIT, amount.units * 10_000),
            credit_account_id=account_id,
            reference=None,
            requested_at=now,
            expires_at=expires_at,
            tolerance_ppm=self.chance.choice([0, 0, 20_000]),
            late_policy=self.chance.choice(_POLICIES),
            invoice_id=invoice_id,
        )
        return command, locks

    async def options(
        self, merchant_id: str, payment_id: str, amount: Amount, expires_at: Any
    ) -> tuple[list[PaymentOption], list[LockPrice | UsePriceLock]]:
        """Ways to pay at locked rates; each takes an address of its own network."""
        options: list[PaymentOption] = []
        locks: list[LockPrice | UsePriceLock] = []
        names = sorted(self.chance.sample(sorted(self.chains), self.chance.randint(1, 3)))
        for name in (name for name in names if name != "rollup" or names == ["rollup"]):
            chain = self.chains[name]
            deposit = chain.deposit(self.next_number())
            for token in chain.network.tokens[: self.chance.randint(1, 2)]:
                lock = await self._lock(token.asset, expires_at, payment_id)
                locks.append(lock)
                options.append(
                    PaymentOption(
                        network=name,
                        chain_id=chain.network.chain_id,
                        asset_id=token.asset_id,
                        due=Amount(
                            token.asset, lock.rate.base_for(amount).units + deposit.adds_units
                        ),
                        address=deposit.address,
                        uri="",
                        price_lock_id=lock.lock_id,
                        identified_by=chain.network.identifies_by,
                        memo=deposit.memo,
                        mark=deposit.mark,
                    )
                )
        early = [lock for owner, lock in self.locks if owner == merchant_id]
        if len(options) == 1 and early and early[-1].rate.base == options[0].due.asset:
            made = early[-1].lock_id
            options = [replace(options[0], price_lock_id=made)]
            return options, [UsePriceLock(made, payment_id, self.clock.now())]
        return options, locks

    async def _lock(self, asset: Asset, expires_at: Any, payment_id: str | None) -> LockPrice:
        now = self.clock.now()
        rate, quotes = await self._board.rate(asset, USD, now)
        return LockPrice(self.name("pl"), rate, quotes, now, expires_at, payment_id)

    async def lock_price(self) -> None:
        merchant_id = self.chance.choice(self.merchants)
        token = self.chance.choice(self.chains["bittensor"].network.tokens)
        expires_at = self.clock.now() + timedelta(seconds=self.chance.choice([30, 900]))
        lock = await self._lock(token.asset, expires_at, None)
        if await self.send(
            "lock price", merchant_id, lambda o: price_lock.envelope(o, lock, answer_of)
        ):
            self.locks.append((merchant_id, lock))

    async def cancel(self) -> None:
        await self.on_payment("cancel", lambda it: CancelPayment(it, self.clock.now()))

    async def resolve(self) -> None:
        choice: Any = self.chance.choice(["accept", "credit", "refund", "write_off"])
        await self.on_payment(
            "resolve", lambda it: ResolvePayment(it, choice, "looked at", self.clock.now())
        )

    async def decide_on_unclaimed(self) -> None:
        """The operator gives it to a payment, rightly or not, or gives it up."""
        held = self.unclaimed()
        if not held or not self.payments:
            return
        unclaimed_id, now = self.chance.choice(held), self.clock.now()
        command: AssignTransfer | GiveUpTransfer
        if self.chance.random() < 0.7:
            merchant_id, requested = self.chance.choice(self.payments[-60:])
            payment_id = requested.payment_id
            command = AssignTransfer(unclaimed_id, payment_id, merchant_id, "looked at", now)
        else:
            choice: Any = self.chance.choice(["refund", "write_off"])
            command = GiveUpTransfer(unclaimed_id, choice, "looked at", now)
        await self.send(
            "decide on unclaimed",
            OPERATOR,
            lambda o: unclaimed_transfer.envelope(o, command, answer_of),
        )

    async def grant(self) -> None:
        merchant_id, account_id = self.chance.choice(self.accounts)
        lives = self.chance.choice([None, 60, 3_000])
        now = self.clock.now()
        command = GrantCredits(
            account_id,
            self.name("gr"),
            self.credits(30),
            self.chance.choice(["granted", "promotion", "refund"]),
            now,
            priority=self.chance.choice([10, 50, 90]),
            expires_at=None if lives is None else now + timedelta(seconds=lives),
        )
        await self.on_account("grant", merchant_id, command)

    async def consume(self) -> None:
        merchant_id, account_id = self.chance.choice(self.accounts)
        command = ConsumeCredits(account_id, self.credits(20), self.clock.now())
        await self.on_account("consume", merchant_id, command)

    async def hold(self) -> None:
        merchant_id, account_id = self.chance.choice(self.accounts)
        hold_id, now = self.name("ho"), self.clock.now()
        expires_at = now + timedelta(seconds=self.chance.choice([20, 600]))
        command = HoldCredits(account_id, hold_id, self.credits(15), expires_at, now)
        if await self.on_account("hold", merchant_id, command):
            self.holds.append((merchant_id, account_id, hold_id))

    async def end_hold(self) -> None:
        if not self.holds:
            return
        merchant_id, account_id, hold_id = self.chance.choice(self.holds[-20:])
        now = self.clock.now()
        if self.chance.random() < 0.5:
            release = ReleaseHold(account_id, hold_id, now)
            await self.on_account("release", merchant_id, release)
        else:
            part = None if self.chance.random() < 0.5 else self.credits(8)
            capture = CaptureHold(account_id, hold_id, now, amount=part)
            await self.on_account("capture", merchant_id, capture)

    async def repeat(self) -> None:
        """Something that was sent before, once more; or its key with other content."""
        sent = self.chance.choice(list(self.client.sent.values())[-60:])
        if sent.done is not None and self.chance.random() < 0.3:
            await self.client.send_other_content(sent)
        else:
            await self.client.send(sent)

    async def on_account(self, kind: str, merchant_id: str, command: Any) -> bool:
        return await self.send(
            kind, merchant_id, lambda o: credit_account.envelope(o, command, answer_of)
        )

    async def on_payment(self, kind: str, make: Callable[[str], Any]) -> None:
        if self.payments:
            merchant_id, requested = self.chance.choice(self.payments[-60:])
            command = make(requested.payment_id)
            await self.send(kind, merchant_id, lambda o: payment.envelope(o, command, answer_of))

    async def send(self, kind: str, merchant_id: str, make: Callable[[Origin], Envelope]) -> bool:
        id_ = command_id("client", str(self.next_number()))

        def envelope(fingerprint: bytes) -> Envelope:
            return make(Origin(id_, merchant_id, "key:simulated", fingerprint))

        sent = Sent(id_, kind, envelope, id_.bytes)
        if self.chance.random() < 0.05:  # sent twice at once, by a client that did not wait
            twin = asyncio.create_task(self.client.send(sent))
            is_done = await self.client.send(sent)
            return await twin or is_done
        return await self.client.send(sent)

    def credits(self, major_max: int) -> Amount:
        return Amount(CREDIT, self.chance.randint(1, major_max * 1_000_000))

    def next_number(self) -> int:
        self._made += 1
        return self._made

    def name(self, prefix: str) -> str:
        return derived_id(prefix, self.clock.now(), str(self.next_number()))
