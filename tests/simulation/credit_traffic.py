"""What merchants ask of credit accounts beyond burning: transfers, refunds, debts that are allowed,
rules that grant again and again, and rules that ask for a payment where credits run low.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flamewire_ledger.commands import credit_account, ownership, top_up
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    CancelRecurringGrant,
    CreditAccount,
    RefundCredits,
    RefundPurchase,
    SetOverage,
    SetRecurringGrant,
    TransferCredits,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.ownership import (
    IssueOwnershipChallenge,
    RegisterOwnedAddress,
    RevokeOwnedAddress,
)
from flamewire_ledger.domain.top_up import RemoveTopUpRule, SetTopUpRule, TopUp
from tests.simulation.known import paid_for
from tests.simulation.readings import Readings
from tests.simulation.traffic import Traffic, answer_of

_HOUR = 3_600


@dataclass
class CreditTraffic:
    traffic: Traffic
    readings: Readings
    rules: list[tuple[str, str, str]] = field(default_factory=list)  # (merchant, account, rule)
    top_ups: set[tuple[str, str]] = field(default_factory=set)  # (merchant, account)
    owned: list[tuple[str, str]] = field(default_factory=list)

    async def something(self) -> None:
        """One random command."""
        does = self.traffic.chance.choices(
            [
                self.transfer, self.refund, self.refund_purchase, self.set_overage,
                self.set_rule, self.cancel_rule, self.set_top_up, self.remove_top_up, self.own,
            ],
            [30, 25, 12, 6, 6, 2, 14, 1, 4],
        )[0]  # fmt: skip
        await does()

    async def end_what_recurs(self) -> None:
        """So that a run comes to rest; also what nobody was told that it began."""
        for merchant_id, account_id, account in self.readings.all_of(CreditAccount):
            for rule_id in account.seldom.recurring:
                await self._cancel(merchant_id, account_id, rule_id)
        for merchant_id, _, top_up_ in self.readings.all_of(TopUp):
            await self._remove(merchant_id, top_up_.rule.account_id)

    async def transfer(self) -> None:
        it = self.traffic
        merchant_id, sender = it.chance.choice(it.accounts)
        mine = [account for owner, account in it.accounts if owner == merchant_id]
        others = [account for account in mine if account != sender]
        command = TransferCredits(
            sender, it.chance.choice(others or mine), it.name("tr"), it.credits(25), it.clock.now()
        )
        await it.send(
            "transfer",
            merchant_id,
            lambda o: credit_account.transfer(o, command, answer_of),
        )

    async def refund(self) -> None:
        it = self.traffic
        if not self.readings.known.consumptions:
            return
        merchant_id, account_id, consumption = it.chance.choice(
            self.readings.known.consumptions[-80:]
        )
        most = max(1, consumption.units)
        part = None if it.chance.random() < 0.4 else Amount(CREDIT, it.chance.randint(1, most))
        command = RefundCredits(account_id, it.name("re"), consumption, it.clock.now(), part)
        await it.on_account("refund", merchant_id, command)

    async def refund_purchase(self) -> None:
        it = self.traffic
        if not self.readings.known.purchases:
            return
        bought = it.chance.choice(self.readings.known.purchases[-40:])
        sale = self.readings.known.sale_of(bought)
        if sale is None:
            return
        assert sale.grant_id is not None, "a sale of credits made a grant"
        paid = {sale.grant_id: paid_for(sale, bought.units)}
        part = None if it.chance.random() < 0.5 else it.credits(10)
        command = RefundPurchase(bought.account_id, bought.grant_id, (), it.clock.now(), part)
        await it.send(
            "refund purchase",
            bought.merchant_id,
            lambda o: credit_account.refund_purchase(
                o, command, bought.payment_id, paid, answer_of
            ),
        )

    async def set_overage(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        most = Amount(CREDIT, it.chance.choice([0, 3_000_000, 20_000_000]))
        command = SetOverage(account_id, most, it.clock.now())
        await it.on_account("set overage", merchant_id, command)

    async def set_rule(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        now = it.clock.now()
        command: Any = SetRecurringGrant(
            account_id,
            it.name("rg"),
            it.credits(10),
            it.chance.choice(["day", "day", "week", "month"]),
            now + timedelta(seconds=it.chance.choice([-40 * 24 * _HOUR, 0, 600])),
            it.chance.choice(["granted", "promotion"]),
            now,
            expires_after_seconds=it.chance.choice([None, 20 * _HOUR, 72 * _HOUR]),
        )
        if await it.on_account("set recurring grant", merchant_id, command):
            self.rules.append((merchant_id, account_id, command.rule_id))

    async def cancel_rule(self) -> None:
        if self.rules:
            await self._cancel(*self.traffic.chance.choice(self.rules))

    async def _cancel(self, merchant_id: str, account_id: str, rule_id: str) -> None:
        command = CancelRecurringGrant(account_id, rule_id, self.traffic.clock.now())
        await self.traffic.on_account("cancel recurring grant", merchant_id, command)

    async def set_top_up(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        target = None if it.chance.random() < 0.4 else Amount(CREDIT, 30_000_000)
        most = it.chance.choice([None, Amount(CREDIT, 60_000_000)])
        command = SetTopUpRule(
            top_up_id=top_up.top_up_id(account_id),
            account_id=account_id,
            threshold=Amount(CREDIT, it.chance.choice([5_000_000, 25_000_000])),
            target=target,
            amount=Amount(CREDIT, 20_000_000) if target is None else None,
            currency="USD",
            pay_with=(),
            per_day_max=most,
            per_month_max=None,
            cooldown_seconds=it.chance.choice([60, 600]),
            expires_in_seconds=900,
            at=it.clock.now(),
        )
        self.top_ups.add((merchant_id, account_id))
        await it.send("set top-up", merchant_id, lambda o: top_up.envelope(o, command, answer_of))

    async def remove_top_up(self) -> None:
        if self.top_ups:
            await self._remove(*self.traffic.chance.choice(sorted(self.top_ups)))

    async def _remove(self, merchant_id: str, account_id: str) -> None:
        command = RemoveTopUpRule(top_up.top_up_id(account_id), self.traffic.clock.now())
        await self.traffic.send(
            "remove top-up", merchant_id, lambda o: top_up.envelope(o, command, answer_of)
        )

    async def own(self) -> None:
        """A challenge, that it is met (by a signature that was verified before), or that it is revoked."""
        it = self.traffic
        now, step = it.clock.now(), it.chance.random()
        command: IssueOwnershipChallenge | RegisterOwnedAddress | RevokeOwnedAddress
        if not self.owned or step < 0.4:
            merchant_id, account_id = it.chance.choice(it.accounts)
            network = it.chains["ethereum"].network
            command = IssueOwnershipChallenge(
                ownership_id=it.name("own"),
                purpose=it.chance.choice(["refund", "sender"]),
                payment_id=None,
                account_id=account_id,
                network=network.name,
                chain_id=network.chain_id,
                address=it.chains["ethereum"].deposit(it.next_number()).address,
                kind="message",
                domain="shop.example",
                nonce=f"{it.next_number():08d}",
                at=now,
                expires_at=now + timedelta(seconds=600),
            )
            self.owned.append((merchant_id, command.ownership_id))
        else:
            merchant_id, ownership_id = it.chance.choice(self.owned)
            command = (
                RegisterOwnedAddress(ownership_id, "eip191", "0x" + "ab" * 65, now)
                if step < 0.8
                else RevokeOwnedAddress(ownership_id, now)
            )
        await it.send(
            "own an address", merchant_id, lambda o: ownership.envelope(o, command, answer_of)
        )
