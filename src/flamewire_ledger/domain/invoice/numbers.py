"""Numbers without a gap: one series a merchant, year and kind of document.

A register is a stream of its own. It gives the number in the same append in which the document
takes it, so that a number that was given is a number that was used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.domain.invoice.facts import InvoiceNumberAssigned, InvoiceRegisterEvent
from flamewire_ledger.domain.rejection import Malformed


@dataclass(frozen=True, slots=True)
class InvoiceRegister:
    register_id: str
    last_sequence: int
    last_at: datetime


def evolve_register(
    register: InvoiceRegister | None, event: InvoiceRegisterEvent
) -> InvoiceRegister:
    """Fold one number into the register. The register is there from its first number on."""
    return InvoiceRegister(event.register_id, event.sequence, event.assigned_at)


def register_id(merchant_id: str, at: datetime) -> str:
    """The register of a merchant's invoices and receipts in the UTC year of this time."""
    return f"ir_{merchant_id.removeprefix('mer_')}_{at.year:04d}"


def credit_note_register_id(merchant_id: str, at: datetime) -> str:
    """The same, of the merchant's credit notes."""
    return f"cnr_{merchant_id.removeprefix('mer_')}_{at.year:04d}"


def next_number(
    register: InvoiceRegister | None, register_id: str, document_id: str, at: datetime
) -> tuple[InvoiceNumberAssigned, str]:
    """The fact that gives the next number, and how it is written: `2026-000001`.

    Commands of two processes may come in another order than their clocks say: a document bears no
    date before that of the number before, as numbers and dates go up together.
    """
    year = register_id.rpartition("_")[2]
    if year != f"{at.year:04d}":
        raise Malformed(f"a document of {at.year} takes its number from that year's register")
    sequence, dated = 1, at
    if register is not None:
        sequence, dated = register.last_sequence + 1, max(at, register.last_at)
    assigned = InvoiceNumberAssigned(register_id, sequence, document_id, dated)
    return assigned, f"{year}-{sequence:06d}"
