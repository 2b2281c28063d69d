"""The chart of accounts: every account there can be, its kind, its usual side and what stands on it.

A name in braces stands for whatever is there: one account for each network, each credit account. A test
holds this list against everything that is posted anywhere; docs/reference/chart-of-accounts.md is it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from flamewire_ledger.billing.trial import OPENING_BALANCES, REALISED_GAINS
from flamewire_ledger.domain import posting

Kind: TypeAlias = Literal["assets", "liabilities", "equity", "income", "expenses", "credits"]
NormalSide: TypeAlias = Literal["debit", "credit"]


@dataclass(frozen=True, slots=True)
class ChartLine:
    account: str
    meaning: str
    normal_side: NormalSide

    @property
    def kind(self) -> Kind:
        kind: Kind = self.account.partition(":")[0]  # type: ignore[assignment]
        return kind

    @property
    def is_family(self) -> bool:
        """Whether it stands for many accounts, which begin so."""
        return self.account.endswith("}")

    @property
    def prefix(self) -> str:
        return self.account.partition("{")[0]


CHART: Final = (
    ChartLine("assets:wallet:{network}", "What we hold on a network, in its own assets.", "debit"),
    ChartLine(posting.RECEIVABLE, "Invoiced and not yet paid, in the invoice's currency.", "debit"),
    ChartLine(
        posting.PAID_ELSEWHERE,
        "Came by bank or in cash, for invoices and for what was sold: where it is, other books say.",
        "debit",
    ),
    ChartLine(
        posting.UNAPPLIED,
        "Arrived from customers, and not yet applied to what they owe, nor given back.",
        "credit",
    ),
    ChartLine(
        posting.SUSPENSE,
        "Arrived in an asset or on a network nobody asked for, or from nobody knows whom.",
        "credit",
    ),
    ChartLine(
        posting.DEFERRED_CREDITS,
        "Paid for credits that are not burnt yet, in what it was paid with: service is owed for it.",
        "credit",
    ),
    ChartLine(posting.REFUNDS_PAYABLE, "Decided to be given back, and not yet sent.", "credit"),
    ChartLine(posting.TAX, "Charged with invoices, to be handed on.", "credit"),
    ChartLine(
        posting.CONVERSION,
        "Where two assets meet: what an invoice asked for, and what it was paid with.",
        "credit",
    ),
    ChartLine(
        posting.DISPOSALS,
        "Where two assets meet: what was sold from a wallet, and the money that it brought.",
        "debit",
    ),
    ChartLine(
        posting.WITHDRAWALS, "Taken out of wallets by whoever the merchant belongs to.", "debit"
    ),
    ChartLine(
        OPENING_BALANCES,
        "What stood on all other accounts before an export begins: it comes to nothing in every asset. Only in "
        "exports of a window: nothing is posted to it.",
        "credit",
    ),
    ChartLine(posting.NETWORK_FEES, "Paid to networks out of wallets.", "debit"),
    ChartLine(
        posting.SALES,
        "Paid to the merchant; nothing is owed for it any more. What was paid for credits comes here "
        "when they are burnt, day by day.",
        "credit",
    ),
    ChartLine(
        posting.BREAKAGE,
        "Paid for credits that lapsed unspent: nothing is owed for them any more.",
        "credit",
    ),
    ChartLine(posting.WRITE_OFFS, "Kept: dust, or given up by whoever sent it.", "credit"),
    ChartLine(
        REALISED_GAINS,
        "Gained (credits) or lost (debits) when what we held, or owed, left at another price than it "
        "stood at. Only in the valued trial balance and in exports of values: nothing is posted to it.",
        "credit",
    ),
    ChartLine(posting.BAD_DEBTS, "Invoiced, and not expected any more.", "debit"),
    ChartLine(posting.CREDITS_ISSUED, "All credits there ever were.", "credit"),
    ChartLine("credits:available:{account}", "Credits that a credit account can burn.", "debit"),
    ChartLine("credits:held:{account}", "Credits of a credit account put aside by holds.", "debit"),
    ChartLine(posting.CREDITS_CONSUMED, "Credits that were burnt.", "debit"),
    ChartLine(posting.CREDITS_BREAKAGE, "Credits that lapsed unspent.", "debit"),
    ChartLine(
        posting.CREDITS_OWED, "Credits burnt without a grant; later grants settle it.", "credit"
    ),
)


def line_of(account: str) -> ChartLine | None:
    """The line that an account belongs to; None when it is on no chart."""
    for line in CHART:
        if line.account == account or (line.is_family and account.startswith(line.prefix)):
            return line
    return None
