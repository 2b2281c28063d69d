"""Postings of invoices, all in the invoice's currency, so that they balance by themselves.

Finalised: receivable ← sales and tax. Paid: conversion ← receivable, where the payment has put the
asset that paid; nothing is a sale a second time. What undoes a fact posts its exact opposite.
"""

from __future__ import annotations

from collections.abc import Sequence

from flamewire_ledger.domain.invoice.lines import Sums
from flamewire_ledger.domain.invoice.state import Invoice
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    BAD_DEBTS,
    RECEIVABLE,
    REFUNDS_PAYABLE,
    SALES,
    TAX,
    Posting,
)

Side = Sequence[tuple[str, int]]  # accounts with their units


def charged(sums: Sums) -> tuple[Posting, ...]:
    """The customer owes it."""
    earned = [(SALES, sums.net.units), (TAX, sums.tax.units)]
    return matched([(RECEIVABLE, sums.total.units)], earned, sums.total)


def given_back(invoice: Invoice, sums: Sums, from_due: int) -> tuple[Posting, ...]:
    """Sales and tax are taken back: from what is due, and what was paid is owed to the customer."""
    back = [(SALES, sums.net.units), (TAX, sums.tax.units)]
    to_refund = sums.total.units - from_due
    return matched(back, [(claim(invoice), from_due), (REFUNDS_PAYABLE, to_refund)], sums.total)


def refund_withdrawn(invoice: Invoice, amount: Amount) -> tuple[Posting, ...]:
    """What had paid it never came: what was owed to the customer comes off what is due again."""
    return () if amount.is_zero else (Posting(REFUNDS_PAYABLE, claim(invoice), amount),)


def claim(invoice: Invoice) -> str:
    """Where the books have what is due."""
    return BAD_DEBTS if invoice.is_uncollectible else RECEIVABLE


def matched(debited: Side, credited: Side, total: Amount) -> tuple[Posting, ...]:
    """Postings that debit and credit exactly this. Both sides add up to the total."""
    made: list[Posting] = []
    left = [[account, units] for account, units in credited if units]
    for debit, owed in debited:
        while owed:
            credit, units = left[0]
            assert isinstance(credit, str)
            assert isinstance(units, int)
            moved = min(owed, units)
            made.append(Posting(debit, credit, Amount(total.asset, moved)))
            owed -= moved
            left[0][1] = units - moved
            if units == moved:
                left.pop(0)
    return tuple(made)
