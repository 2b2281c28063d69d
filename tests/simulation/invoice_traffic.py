"""What merchants ask of invoices: drafts, lines, numbers, payments, credit notes, and giving up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flamewire_ledger.commands import invoice
from flamewire_ledger.domain.invoice import (
    AddLines,
    CreditedLine,
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    Invoice,
    InvoiceLine,
    IssueCreditNote,
    MarkUncollectible,
    PayInvoice,
    RequestInvoicePayment,
    VoidInvoice,
)
from flamewire_ledger.domain.money import Amount
from tests.simulation.readings import Readings
from tests.simulation.traffic import USD, Traffic, answer_of


@dataclass
class InvoiceTraffic:
    """`readings` knows the invoices, also those that subscriptions made."""

    traffic: Traffic
    readings: Readings
    drafts: list[tuple[str, str]] = field(default_factory=list)  # (merchant, invoice)

    async def something(self) -> None:
        """One random command."""
        does = self.traffic.chance.choices(
            [
                self.draft, self.add_lines, self.finalise, self.request_payment, self.pay,
                self.void, self.give_up, self.credit,
            ],
            [15, 8, 15, 30, 12, 5, 5, 12],
        )[0]  # fmt: skip
        await does()

    async def draft(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        command = DraftInvoice(
            invoice_id=it.name("inv"),
            customer=Customer(credit_account_id=account_id, name="Somebody"),
            currency=USD,
            at=it.clock.now(),
            lines=self._lines(),
            due_days=it.chance.choice([0, 1, 14]),
            prices_include_tax=it.chance.random() < 0.5,
        )
        if await self._on(merchant_id, "draft", command):
            self.drafts.append((merchant_id, command.invoice_id))

    def _lines(self) -> tuple[InvoiceLine, ...]:
        chance = self.traffic.chance
        return tuple(
            InvoiceLine(
                description=f"Thing {number}",
                quantity=str(chance.randint(1, 9)),
                unit_price=None,
                amount=Amount(USD, chance.randint(1, 90_00)),
                tax_rate=chance.choice([None, "19", "7", "7.7", "0"]),
                is_credit=chance.random() < 0.1,
            )
            for number in range(chance.randint(1, 5))
        )

    async def add_lines(self) -> None:
        if self.drafts:
            merchant_id, invoice_id = self.traffic.chance.choice(self.drafts[-10:])
            command = AddLines(invoice_id, self._lines(), self.traffic.clock.now())
            await self._on(merchant_id, "add lines", command)

    async def finalise(self) -> None:
        if not self.drafts:
            return
        it = self.traffic
        merchant_id, invoice_id = it.chance.choice(self.drafts[-10:])
        command = FinaliseInvoice(invoice_id, it.clock.now())
        await it.send("finalise", merchant_id, lambda o: invoice.finalise(o, command, answer_of))

    async def request_payment(self) -> None:
        """A payment for the invoice or a part of it, as the API makes one; payers see it."""
        it = self.traffic
        found = self._some(lambda state: state.status in ("open", "uncollectible"))
        if found is None:
            return
        merchant_id, invoice_id, state = found
        assert state.due is not None, "it is open"
        amount = state.due
        if it.chance.random() < 0.2:
            amount = Amount(USD, it.chance.randint(1, max(1, state.due.units)))
        command, locks = await it.payment_for(merchant_id, amount, invoice_id=invoice_id)
        asked = RequestInvoicePayment(
            invoice_id, command.payment_id, amount, command.expires_at, command.requested_at
        )
        if await it.send(
            "ask for payment of invoice",
            merchant_id,
            lambda o: invoice.request_payment(o, asked, command, locks, answer_of),
        ):
            it.payments.append((merchant_id, command))

    async def pay(self) -> None:
        await self._about(
            "pay elsewhere",
            lambda state: state.status == "open",
            lambda it, now: PayInvoice(it, "by bank", now, self._part()),
        )

    def _part(self) -> Amount | None:
        chance = self.traffic.chance
        return None if chance.random() < 0.6 else Amount(USD, chance.randint(1, 20_00))

    async def void(self) -> None:
        await self._about(
            "void", lambda state: True, lambda it, now: VoidInvoice(it, "a mistake", now)
        )

    async def give_up(self) -> None:
        await self._about(
            "give up",
            lambda state: state.status == "open",
            lambda it, now: MarkUncollectible(it, "nobody answers", now),
        )

    async def credit(self) -> None:
        it = self.traffic
        found = self._some(lambda state: state.finalised is not None and not state.is_void)
        if found is None:
            return
        merchant_id, invoice_id, state = found
        lines: tuple[CreditedLine, ...] = ()
        if it.chance.random() < 0.6:
            number = it.chance.randint(1, len(state.lines))
            lines = (CreditedLine(number, self._part()),)
        command = IssueCreditNote(invoice_id, it.name("cn"), "a gift", it.clock.now(), lines)
        await it.send("credit note", merchant_id, lambda o: invoice.credit(o, command, answer_of))

    async def _about(
        self, kind: str, is_wanted: Callable[[Invoice], bool], make: Callable[[str, Any], Any]
    ) -> None:
        found = self._some(is_wanted)
        if found is not None:
            merchant_id, invoice_id, _ = found
            await self._on(merchant_id, kind, make(invoice_id, self.traffic.clock.now()))

    def _some(self, is_wanted: Callable[[Invoice], bool]) -> tuple[str, str, Invoice] | None:
        """An invoice of the latest, as far as they are read."""
        found = [it for it in self.readings.invoices()[-60:] if is_wanted(it[2])]
        return self.traffic.chance.choice(found) if found else None

    async def _on(self, merchant_id: str, kind: str, command: Any) -> bool:
        return await self.traffic.send(
            kind, merchant_id, lambda o: invoice.envelope(o, command, answer_of)
        )
