"""Invoices on paper: what tests of them are made of, and the books that follow."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from flamewire_ledger.domain.invoice import (
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    Invoice,
    InvoiceLine,
    InvoiceRegister,
    IssueCreditNote,
    credit_note_register_id,
    decide,
    decide_credit_note,
    decide_finalise,
    evolve_invoice,
    evolve_register,
    register_id,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.party import Party
from tests.domain.snapshots import through_json

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EUR = Asset("EUR", 2)
MERCHANT = "mer_01kayv3m8se0p9q7r2t4w6x8za"
SELLER = Party("Bakery Ltd")


def days(count: float) -> datetime:
    return NOON + timedelta(days=count)


def line(cents: int, rate: str | None = None, **more: object) -> InvoiceLine:
    amount = Amount(EUR, cents)
    return InvoiceLine("Bread", "1", amount.text, amount, rate, **more)  # type: ignore[arg-type]


def draft(*lines: InvoiceLine, **more: object) -> DraftInvoice:
    fields = {"customer": Customer(name="Ada"), "currency": EUR, "at": NOON, "lines": lines}
    return DraftInvoice("inv_1", **{**fields, **more})  # type: ignore[arg-type]


class Office:
    """One invoice with its registers and its books, told what to do."""

    def __init__(self) -> None:
        self.invoice: Invoice | None = None
        self.registers: dict[str, InvoiceRegister] = {}
        self.facts: list[object] = []
        self.books: dict[str, int] = defaultdict(int)  # debits - credits

    def do(self, command: object) -> tuple[object, ...]:
        if isinstance(command, FinaliseInvoice):
            register = register_id(MERCHANT, command.at)
            numbers, facts = decide_finalise(
                register, self.registers.get(register), self.invoice, SELLER, command
            )
        elif isinstance(command, IssueCreditNote):
            register = credit_note_register_id(MERCHANT, command.at)
            numbers, facts = decide_credit_note(
                register, self.registers.get(register), self.invoice, command
            )
        else:
            numbers, facts = (), decide(self.invoice, command)  # type: ignore[arg-type]
        for number in numbers:
            self.registers[register] = evolve_register(self.registers.get(register), number)
        for fact in facts:
            self.invoice = evolve_invoice(self.invoice, fact)
            for posting in getattr(fact, "postings", ()):
                self.books[posting.debit] += posting.amount.units
                self.books[posting.credit] -= posting.amount.units
        self.facts += facts
        assert self.invoice is None or through_json(self.invoice) == self.invoice
        return facts

    @property
    def known(self) -> Invoice:
        assert self.invoice is not None
        return self.invoice

    @property
    def open_books(self) -> dict[str, int]:
        return {account: units for account, units in self.books.items() if units}


def opened(*lines: InvoiceLine, **more: object) -> Office:
    """An office whose invoice is final."""
    office = Office()
    office.do(draft(*lines, **more))
    office.do(FinaliseInvoice("inv_1", NOON))
    return office
