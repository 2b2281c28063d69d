"""A credit account: credits are granted, held, burnt and lapse, and never go below zero.

Each grant stays itself to the end: what is burnt says of which grants, so that any digit of a
balance can be traced to the payment behind it. Burn order: priority, then what expires first, then
granted before purchased, then age.

Read `facts`, then the state they add up to (`state`), the `commands`, and what is decided on them:
`decisions`, which leads to `burning` and `holds`.
"""

from flamewire_ledger.domain.credit_account.commands import (
    CaptureHold,
    ConsumeCredits,
    CreditAccountCommand,
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    HoldCredits,
    OpenCreditAccount,
    ReleaseHold,
    ReverseGrant,
)
from flamewire_ledger.domain.credit_account.decisions import decide
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    NOTHING,
    PRIORITY_DEFAULT,
    CreditAccountEvent,
    CreditAccountOpened,
    CreditsConsumed,
    CreditsGranted,
    CreditsHeld,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    Slice,
    Source,
)
from flamewire_ledger.domain.credit_account.state import (
    Balance,
    BalanceUnits,
    CreditAccount,
    Grant,
    GrantTerms,
    Hold,
    balance,
    balance_units,
    evolve,
    grants_in_burn_order,
)

__all__ = [
    "CREDIT",
    "NOTHING",
    "PRIORITY_DEFAULT",
    "Balance",
    "BalanceUnits",
    "CaptureHold",
    "ConsumeCredits",
    "CreditAccount",
    "CreditAccountCommand",
    "CreditAccountEvent",
    "CreditAccountOpened",
    "CreditsConsumed",
    "CreditsGranted",
    "CreditsHeld",
    "ExpireGrant",
    "ExpireHold",
    "Grant",
    "GrantCredits",
    "GrantExpired",
    "GrantReversed",
    "GrantTerms",
    "Hold",
    "HoldCaptured",
    "HoldCredits",
    "HoldReleased",
    "OpenCreditAccount",
    "ReleaseHold",
    "ReverseGrant",
    "Slice",
    "Source",
    "balance",
    "balance_units",
    "decide",
    "evolve",
    "grants_in_burn_order",
]
