"""A credit note for machines, by EN 16931: as Factur-X, and as the credit note of UBL 2.1. It names the
invoice that it gives back, and its amounts are positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from flamewire_ledger.api.electronic_documents import (
    PIECES,
    Format,
    Terms,
    date_of,
    missing,
    named,
    shared_terms,
    taxed,
    written,
)
from flamewire_ledger.domain.rejection import NotAllowed

_CREDIT_NOTE: Final = "381"  # UNTDID 1001


def xml_of(note: Mapping[str, Any], form: Format, *, is_test: bool = False) -> bytes:
    """The document; it says of itself when it is a test. Raises NotAllowed for what EN 16931 has no
    words for.
    """
    if (reason := why_not(note)) is not None:
        raise NotAllowed(reason)
    return written(_terms(note, is_test=is_test), form)


def why_not(note: Mapping[str, Any]) -> str | None:
    """Why a credit note cannot be written so; None: it can."""
    return missing(note)


def _terms(note: Mapping[str, Any], *, is_test: bool) -> Terms:
    """What had not been paid is taken off what is due: of the rest it is said that it is given back."""
    refund, currency = note["amount_to_refund"], note["currency"]
    given_back = f"{refund} {currency} are given back, the rest is not due any more"
    return {
        **shared_terms(note, note["reason"], is_test=is_test),
        "BT-3": _CREDIT_NOTE,
        "BG-3": [{"BT-25": note["invoice_number"], "BT-26": date_of(note["invoice_issued_at"])}],
        "BT-20": given_back,
        "BT-72": date_of(note["issued_at"]),
        "BG-25": [_line(note, place, line) for place, line in enumerate(note["lines"], 1)],
        "BT-113": "0.00",
        "BT-115": note["total"],
    }


def _line(note: Mapping[str, Any], place: int, line: Mapping[str, Any]) -> Terms:
    """A line that had given something back is taken back itself."""
    sign = "-" if line["is_credit"] else ""
    return {
        "BT-126": str(place),
        "BT-127": f"Line {line['line']} of invoice {note['invoice_number']}",
        "BT-129": f"{sign}1",
        "BT-130": PIECES,
        "BT-131": f"{sign}{line['net']}" if Decimal(line["net"]) else line["net"],
        "BT-146": line["net"],
        "BT-149": "1",
        **taxed(note, line),
        **named(line["description"]),
    }
