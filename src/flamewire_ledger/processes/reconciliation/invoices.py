"""What invoices say of the payments that were asked for on their behalf, at a position of the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flamewire_ledger.domain.invoice import InvoicePaymentRecorded, InvoicePaymentReversed
from flamewire_ledger.store.event_store import RecordedEvent

_SAYING: Final = frozenset({InvoicePaymentRecorded.type, InvoicePaymentReversed.type})


@dataclass(frozen=True, slots=True)
class Said:
    """Whether an invoice was told of a payment's success, and whether it counts anything of it: what
    came when nothing was due any more was told, and counts for nothing.
    """

    is_told: bool = False
    is_counted: bool = False


def said_by(
    events: Sequence[RecordedEvent], until: int, decode: Callable[[RecordedEvent], Any]
) -> Mapping[str, Said]:
    """By payment, of the events of one invoice."""
    found: dict[str, Said] = {}
    for recorded in events:
        if recorded.position > until:
            break
        if recorded.type not in _SAYING:
            continue
        event = decode(recorded)
        match event:
            case InvoicePaymentRecorded(payment_id=str() as payment_id):
                found[payment_id] = Said(is_told=True, is_counted=not event.amount.is_zero)
            case InvoicePaymentReversed():
                found.pop(event.payment_id, None)
            case _:
                pass  # paid elsewhere: of no payment of ours
    return found
