"""From a command to the envelope the writer takes: this file says what processes may ask for, and
where it is decided.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from flamewire_ledger.commands import (
    credit_account,
    entitlement,
    invoice,
    payment,
    price_lock,
    subscription,
)
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import (
    CloseDay,
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    GrantRecurring,
    ReverseGrant,
    WarnOfExpiry,
)
from flamewire_ledger.domain.entitlement import GrantEntitlement, RevokeEntitlement
from flamewire_ledger.domain.invoice import (
    AddLines,
    DraftInvoice,
    FinaliseInvoice,
    IssueCreditNote,
    IssueReceipt,
    MarkUncollectible,
    NoteOverdue,
    PayInvoice,
    RecordDelivery,
    RecordDeliveryFailure,
    RecordInvoicePayment,
    ReverseInvoicePayment,
    VoidInvoice,
    VoidReceipt,
)
from flamewire_ledger.domain.payment import (
    ConfirmTransfer,
    DropTransfer,
    ExpirePayment,
    RecogniseRevenue,
    RequireResolution,
)
from flamewire_ledger.domain.price_lock import ExpirePriceLock
from flamewire_ledger.domain.subscription import NotePastDue, NoteSettled

InvoiceProcessCommand: TypeAlias = (
    IssueReceipt
    | VoidReceipt
    | DraftInvoice
    | AddLines
    | FinaliseInvoice
    | PayInvoice
    | RecordInvoicePayment
    | ReverseInvoicePayment
    | VoidInvoice
    | MarkUncollectible
    | IssueCreditNote
    | NoteOverdue
    | RecordDelivery
    | RecordDeliveryFailure
)
ProcessCommand: TypeAlias = (
    GrantCredits
    | ReverseGrant
    | ExpireGrant
    | ExpireHold
    | WarnOfExpiry
    | GrantRecurring
    | CloseDay
    | InvoiceProcessCommand
    | RequireResolution
    | RecogniseRevenue
    | ConfirmTransfer
    | DropTransfer
    | ExpirePayment
    | ExpirePriceLock
    | NotePastDue
    | NoteSettled
    | GrantEntitlement
    | RevokeEntitlement
)


def envelope_of(command: ProcessCommand, origin: Origin) -> Envelope:
    """The command, ready to be sent."""
    match command:
        case GrantCredits() | ReverseGrant() | ExpireGrant() | ExpireHold():
            return credit_account.envelope(origin, command)
        case WarnOfExpiry() | GrantRecurring() | CloseDay():
            return credit_account.envelope(origin, command)
        case RequireResolution() | ExpirePayment() | ConfirmTransfer() | DropTransfer():
            return payment.envelope(origin, command)
        case RecogniseRevenue():
            return payment.envelope(origin, command)
        case GrantEntitlement() | RevokeEntitlement():
            return entitlement.envelope(origin, command)
        case NotePastDue() | NoteSettled():
            return subscription.envelope(origin, command)
        case ExpirePriceLock():
            return price_lock.envelope(origin, command)
        case _:
            return _of_invoice(command, origin)


def _of_invoice(command: InvoiceProcessCommand, origin: Origin) -> Envelope:
    match command:
        case IssueReceipt():
            return invoice.issue(origin, command)
        case FinaliseInvoice():
            return invoice.finalise(origin, command)
        case IssueCreditNote():
            return invoice.credit(origin, command)
        case RecordInvoicePayment():
            return invoice.record_payment(origin, command)
        case (
            VoidReceipt()
            | DraftInvoice()
            | AddLines()
            | PayInvoice()
            | ReverseInvoicePayment()
            | VoidInvoice()
            | MarkUncollectible()
            | NoteOverdue()
            | RecordDelivery()
            | RecordDeliveryFailure()
        ):
            return invoice.envelope(origin, command)
        case _:
            assert_never(command)
