"""From a command to the envelope the writer takes: this file says what processes may ask for, and
where it is decided.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from flamewire_ledger.commands import credit_account, invoice, payment, price_lock
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import (
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    ReverseGrant,
)
from flamewire_ledger.domain.invoice import IssueReceipt, VoidInvoice
from flamewire_ledger.domain.payment import (
    ConfirmTransfer,
    DropTransfer,
    ExpirePayment,
    RequireResolution,
)
from flamewire_ledger.domain.price_lock import ExpirePriceLock

ProcessCommand: TypeAlias = (
    GrantCredits
    | ReverseGrant
    | ExpireGrant
    | ExpireHold
    | IssueReceipt
    | VoidInvoice
    | RequireResolution
    | ConfirmTransfer
    | DropTransfer
    | ExpirePayment
    | ExpirePriceLock
)


def envelope_of(command: ProcessCommand, origin: Origin) -> Envelope:
    """The command, ready to be sent."""
    match command:
        case GrantCredits() | ReverseGrant() | ExpireGrant() | ExpireHold():
            return credit_account.envelope(origin, command)
        case IssueReceipt():
            return invoice.issue(origin, command)
        case VoidInvoice():
            return invoice.void(origin, command)
        case RequireResolution() | ExpirePayment() | ConfirmTransfer() | DropTransfer():
            return payment.envelope(origin, command)
        case ExpirePriceLock():
            return price_lock.envelope(origin, command)
        case _:
            assert_never(command)
