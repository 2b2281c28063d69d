"""A posting moves units of one asset from the account it credits to the account it debits.

Because both sides are one fact with one amount, books made of postings balance by construction:
there is no way to write down half of one. Account names read from the kind to the detail,
`assets:wallet:ethereum`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flamewire_ledger.domain.money import Amount, MoneyError

UNAPPLIED: Final = "liabilities:customer_unapplied"  # arrived, ours to apply or give back
SUSPENSE: Final = "liabilities:suspense"  # arrived in an asset or on a network nobody asked for
SALES: Final = "income:sales"  # paid to the merchant, nothing owed for it any more
DEFERRED_CREDITS: Final = "liabilities:deferred_credits"  # paid for credits that are not burnt yet
REFUNDS_PAYABLE: Final = "liabilities:refunds_payable"  # decided to be given back, not yet sent
BREAKAGE: Final = "income:breakage"  # paid for credits that lapsed unspent
WRITE_OFFS: Final = "income:write_offs"  # kept: dust, or given up by its sender

# What invoices ask for is booked in their own currency. What pays them is another asset as a rule:
# the two meet in CONVERSION, which holds the one and owes the other at the locked rate.
RECEIVABLE: Final = "assets:receivable"  # invoiced, not yet paid
PAID_ELSEWHERE: Final = "assets:paid_elsewhere"  # by bank, in cash: outside this ledger
DISPOSALS: Final = "equity:disposals"  # where what was sold meets what it brought
WITHDRAWALS: Final = "equity:withdrawals"  # taken out by whoever owns the merchant
NETWORK_FEES: Final = "expenses:network_fees"
CONVERSION: Final = "equity:conversion"
TAX: Final = "liabilities:tax"  # charged, to be handed on
BAD_DEBTS: Final = "expenses:bad_debts"  # invoiced, and not expected any more

# Credits have books of their own, in the asset CREDIT: they move from ISSUED to an account; from
# there they are burnt, lapse, or are taken back.
CREDITS_ISSUED: Final = "credits:issued"
CREDITS_CONSUMED: Final = "credits:consumed"
CREDITS_BREAKAGE: Final = "credits:breakage"  # lapsed unspent
CREDITS_OWED: Final = "credits:receivable"  # burnt without a grant; later ones settle it


def wallet(network: str) -> str:
    """What we hold on a network."""
    return f"assets:wallet:{network}"


def credits_available(account_id: str) -> str:
    return f"credits:available:{account_id}"


def credits_held(account_id: str) -> str:
    return f"credits:held:{account_id}"


@dataclass(frozen=True, slots=True)
class Posting:
    """Debit one account, credit another, by one amount."""

    debit: str
    credit: str
    amount: Amount

    def __post_init__(self) -> None:
        if self.debit == self.credit:
            raise MoneyError("a posting has two different accounts")
        if self.amount.is_zero:
            raise MoneyError("a posting moves something")

    def reversed(self) -> Posting:
        """The exact opposite of what was recorded."""
        return Posting(debit=self.credit, credit=self.debit, amount=self.amount)
