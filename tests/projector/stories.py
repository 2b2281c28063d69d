"""Histories to project: random commands decided by the real domain, from a seed that can be repeated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flamewire_ledger.domain import credit_account, invoice, merchant, payment, price_lock
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import Append, EventStore, NewEvent, StreamAppend

USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
USDC = Asset("ethereum:USDC", 6)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_CODEC = Codec()


@dataclass(frozen=True, slots=True)
class Told:
    """One event, and where it goes."""

    merchant_id: str
    stream_id: str
    event: Any


@dataclass
class Stories:
    """Streams of every aggregate, interleaved. `tell` goes on by so many commands."""

    seed: int
    merchants: int = 2
    tag: str = ""  # tells the ids of one history from those of another
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.now = NOON
        self._number = 0
        self.accounts: dict[str, Any] = {}
        self.payments: dict[str, Any] = {}
        self._locks: dict[str, Any] = {}
        self._invoices: dict[str, Any] = {}
        self._registers: dict[str, Any] = {}
        self._merchants: dict[str, Any] = {}
        self.owner: dict[str, str] = {}
        for number in range(self.merchants):
            self._register(f"mer_{self.tag}{number}")

    def tell(self, commands: int) -> list[Told]:
        """The events that so many further commands lead to; refused ones lead to none."""
        begin = len(self.told)
        acts = (
            self._act_on_payment,
            self._act_on_payment,
            self._act_on_account,
            self._act_on_account,
            self._act_on_lock,
            self._act_on_invoice,
            self._act_on_key,
        )
        for _ in range(commands):
            self.now += timedelta(seconds=self._random.randrange(0, 40))
            try:
                self._random.choice(acts)()
            except Rejection:
                continue
        return self.told[begin:]

    def _say(self, stream_id: str, event: Any) -> None:
        self.told.append(Told(self.owner[stream_id], stream_id, event))

    def _new(self, prefix: str) -> str:
        self._number += 1
        stream_id = f"{prefix}_{self.tag}{self._number:06d}"
        self.owner[stream_id] = self._random.choice(list(self._merchants))
        return stream_id

    def _pick(self, streams: dict[str, Any], prefix: str, chance_of_new: float) -> str:
        if not streams or self._random.random() < chance_of_new:
            return self._new(prefix)
        return self._random.choice(list(streams))

    def _register(self, merchant_id: str) -> None:
        self.owner[merchant_id] = merchant_id
        livemode = merchant_id.endswith("0")
        command = merchant.RegisterMerchant(merchant_id, f"shop {merchant_id}", livemode, self.now)
        self._fold(self._merchants, merchant_id, merchant.decide, merchant.evolve, command)

    def _fold(
        self, states: dict[str, Any], key: str, decide: Any, evolve: Any, command: Any
    ) -> None:
        state = states.get(key)
        for event in decide(state, command):
            state = evolve(state, event)
            self._say(key, event)
        if state is not None:
            states[key] = state

    def _act_on_key(self) -> None:
        merchant_id = self._random.choice(list(self._merchants))
        number = self._random.randrange(6)
        key_id = f"key_{merchant_id}_{number}"
        command: Any = merchant.RevokeApiKey(merchant_id, key_id, self.now)
        if self._random.random() < 0.7:
            livemode = merchant_id.endswith("0")
            secret = f"{self._random.getrandbits(256):064x}"
            command = merchant.CreateApiKey(
                merchant_id, key_id, "till", livemode, secret, "abcd", ("*",), self.now
            )
        self._fold(self._merchants, merchant_id, merchant.decide, merchant.evolve, command)

    def _act_on_lock(self) -> None:
        lock_id = self._pick(self._locks, "pl", 0.4)
        command: Any
        if lock_id not in self._locks:
            quotes = (
                price_lock.Quote("kraken", Decimal("412.5"), self.now),
                price_lock.Quote("other", Decimal("9"), self.now, "too far from the others"),
            )
            until = self.now + timedelta(seconds=900)
            rate = Rate(TAO, USD, Decimal("412.50"))
            command = price_lock.LockPrice(lock_id, rate, quotes, self.now, until)
        elif self._random.random() < 0.6:
            command = price_lock.UsePriceLock(lock_id, "pi_000001", self.now)
        else:
            command = price_lock.ExpirePriceLock(lock_id, self.now)
        self._fold(self._locks, lock_id, price_lock.decide, price_lock.evolve, command)

    def _act_on_invoice(self) -> None:
        if self._invoices and self._random.random() < 0.2:
            chosen = self._random.choice(list(self._invoices))
            void = invoice.VoidReceipt(chosen, "reorganised", self.now)
            self._fold(self._invoices, chosen, invoice.decide, invoice.evolve_invoice, void)
            return
        invoice_id = self._new("inv")
        register_id = invoice.register_id(self.owner[invoice_id], self.now)
        self.owner[register_id] = self.owner[invoice_id]
        price = Amount(USD, self._random.randrange(1, 10_000))
        line = invoice.InvoiceLine("credits", "1", price.text, price)
        paid = invoice.SettledWith("bittensor", "0x1", Amount(TAO, 5), "412.5", None)
        command = invoice.IssueReceipt(
            register_id, invoice_id, "pi_000001", None, None, (line,), price, (paid,), self.now
        )
        register = self._registers.get(register_id)
        numbered, issued = invoice.decide_receipt(register, None, command)
        for event in numbered:
            register = invoice.evolve_register(register, event)
            self._say(register_id, event)
        self._registers[register_id] = register
        state = None
        for fact in issued:
            state = invoice.evolve_invoice(state, fact)
            self._say(invoice_id, fact)
        self._invoices[invoice_id] = state

    def _act_on_account(self) -> None:
        account_id = self._pick(self.accounts, "ca", 0.1)
        units = Amount(credit_account.CREDIT, self._random.randrange(1, 50))
        at = self.now
        command: Any
        if account_id not in self.accounts:
            overage = Amount(credit_account.CREDIT, self._random.choice((0, 0, 40)))
            command = credit_account.OpenCreditAccount(account_id, "team", None, at, overage)
        else:
            command = self._credit_command(account_id, units, at)
        self._fold(self.accounts, account_id, credit_account.decide, credit_account.evolve, command)

    def _credit_command(self, account_id: str, units: Amount, at: datetime) -> Any:
        state = self.accounts[account_id]
        chance = self._random
        grant_ids = [grant.terms.grant_id for grant in state.grants]
        holds = list(state.holds)
        soon = at + timedelta(seconds=chance.randrange(60, 2_000))
        choice = chance.randrange(9)
        if choice < 2 or not grant_ids:
            source = chance.choice(("purchased", "granted", "promotion"))
            return credit_account.GrantCredits(
                account_id,
                self._new("gr"),
                Amount(units.asset, units.units * 3),
                source,
                at,
                priority=chance.choice((10, 50)),
                expires_at=chance.choice((None, soon)),
                payment_id="pi_000001" if source == "purchased" else None,
                cost=Amount(USD, 100) if source == "purchased" else None,
            )
        if choice < 5:
            return credit_account.ConsumeCredits(account_id, units, at, "eth_call")
        if choice == 5:
            return credit_account.HoldCredits(account_id, self._new("ho"), units, soon, at)
        if choice == 6 and holds:
            part = Amount(units.asset, max(1, state.holds[holds[0]].units // 2))
            return credit_account.CaptureHold(account_id, holds[0], at, chance.choice((None, part)))
        if choice == 7 and holds:
            kind = chance.choice((credit_account.ReleaseHold, credit_account.ExpireHold))
            return kind(account_id, chance.choice(holds), at)
        kind = chance.choice((credit_account.ExpireGrant, credit_account.ReverseGrant))
        chosen = chance.choice(grant_ids)
        if kind is credit_account.ExpireGrant:
            return credit_account.ExpireGrant(account_id, chosen, at)
        return credit_account.ReverseGrant(account_id, chosen, None, at)

    def _act_on_payment(self) -> None:
        payment_id = self._pick(self.payments, "pi", 0.25)
        known = self.payments.get(payment_id)
        command = self._request(payment_id) if known is None else self._payment_command(known)
        self._fold(self.payments, payment_id, payment.decide, payment.evolve, command)

    def _request(self, payment_id: str) -> Any:
        option = payment.PaymentOption(
            "bittensor",
            "polkadot:2f0555cc76fc2840a25a6ea3b9637146",
            "polkadot:2f0555cc76fc2840a25a6ea3b9637146/slip44:1005",
            Amount(TAO, 60_606_061),
            f"5F{payment_id}",
            f"tao:5F{payment_id}",
            "pl_000001",
        )
        other = payment.PaymentOption(
            "ethereum", "eip155:1", "eip155:1/erc20:0xa0", Amount(USDC, 25_000_000),
            f"0x{payment_id}", f"ethereum:0x{payment_id}", None, "m/44'/60'/0'/0/7",
        )  # fmt: skip
        return payment.RequestPayment(
            payment_id=payment_id,
            amount=Amount(USD, 2_500),
            options=(option, other),
            credits=None,
            credit_account_id=None,
            reference="order-17",
            requested_at=self.now,
            expires_at=self.now + timedelta(seconds=900),
            metadata={"table": "4"},
            tolerance_ppm=self._random.choice((0, 10_000)),
        )

    def _payment_command(self, known: Any) -> Any:
        payment_id = known.requested.payment_id
        chance = self._random
        choice = chance.randrange(12)
        if choice == 0:
            return payment.ExpirePayment(payment_id, self.now)
        if choice == 1:
            return payment.CancelPayment(payment_id, self.now)
        if choice == 2:
            kinds = ("accept", "refund", "write_off")
            return payment.ResolvePayment(payment_id, chance.choice(kinds), "asked", self.now)
        transfer = self._transfer(known)
        block = Block(chance.randrange(100, 200), f"0xb{chance.randrange(4)}", self.now)
        if choice < 6:
            seen = chance.choice((None, block))
            return payment.RecordTransfer(payment_id, transfer, seen, self.now)
        if choice < 11:
            return payment.ConfirmTransfer(payment_id, transfer, block, 3, self.now, self.now)
        return payment.DropTransfer(payment_id, transfer, self.now)

    def _transfer(self, known: Any) -> Transfer:
        if known.arrivals and self._random.random() < 0.7:
            return self._random.choice(list(known.arrivals.values())).transfer
        option = self._random.choice(known.requested.options)
        share = self._random.choice((50, 100, 100, 100, 120))
        amount = Amount(option.due.asset, option.due.units * share // 100)
        if self._random.random() < 0.1:
            amount = Amount(Asset(f"{option.network}:OTHER", 6), 7)
        self._number += 1
        return Transfer(option.network, f"0x{self._number:x}", 0, option.address, amount)


async def record(
    store: EventStore, told: Sequence[Told], *, partition: int = 0, batch: int = 500
) -> None:
    """Append events as they were told, each in a command of its own."""
    versions: dict[str, int] = {}
    for begin in range(0, len(told), batch):
        part = told[begin : begin + batch]
        unknown = {item.stream_id: 0 for item in part if item.stream_id not in versions}
        loaded = await store.load(partition, unknown)
        versions |= {stream: len(events) for stream, events in loaded.items()}
        appends = []
        for item in part:
            version = versions[item.stream_id]
            appends.append(_append(item, version))
            versions[item.stream_id] = version + 1
        verdicts = await store.append(partition, appends)
        assert all(hasattr(verdict, "position") for verdict in verdicts)


def _append(item: Told, version: int) -> Append:
    encoded = item.event if isinstance(item.event, NewEvent) else _CODEC.encode(item.event)
    stream = StreamAppend(item.stream_id, version, (encoded,))
    number = random.getrandbits(128)
    return Append(
        command_id=UUID(int=number),
        fingerprint=b"",
        merchant_id=item.merchant_id,
        metadata=b'{"actor":"key:key_1","causation_id":null,"correlation_id":"req_1"}',
        streams=(stream,),
    )
