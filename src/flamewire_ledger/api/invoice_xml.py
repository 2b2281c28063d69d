"""An invoice for machines, by EN 16931: as Factur-X (the CII syntax) and as UBL 2.1.

Prices are given for the quantity of their line (BT-149), so that quantity times price is the line's
amount whatever was rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
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

_INVOICE: Final = "380"  # UNTDID 1001
_QUANTITY_DECIMALS: Final = Decimal("0.0001")
_MOMENT: Final = timedelta(microseconds=1)


def xml_of(invoice: Mapping[str, Any], form: Format, *, is_test: bool = False) -> bytes:
    """The document; it says of itself when it is a test. Raises NotAllowed for what EN 16931 has no
    words for.
    """
    if (reason := why_not(invoice)) is not None:
        raise NotAllowed(reason)
    return written(_terms(invoice, is_test=is_test), form)


def why_not(invoice: Mapping[str, Any]) -> str | None:
    """Why an invoice cannot be written so; None: it can."""
    if invoice["kind"] == "receipt":
        return "a receipt names no buyer, and such a document needs one"
    if invoice["number"] is None:
        return "only an invoice that is final is written so"
    if invoice["status"] == "void":
        return "an invoice that is void is no such document: nobody owes it"
    return missing(invoice)


def _terms(invoice: Mapping[str, Any], *, is_test: bool) -> Terms:
    due = date_of(invoice["due_at"])
    total, paid = Decimal(invoice["total"]), Decimal(invoice["amount_paid"])
    terms: Terms = {
        **shared_terms(invoice, invoice["memo"], is_test=is_test),
        "BT-3": _INVOICE,
        "BT-9": due,
        **_supplied(invoice, date_of(invoice["issued_at"])),
        "BT-20": f"Due on {due.isoformat()}",
        "BG-25": [_line(invoice, place, line) for place, line in enumerate(invoice["lines"], 1)],
        "BT-113": str(paid),
        "BT-115": str(total - paid),
    }
    if invoice["reference"] is not None:
        terms["BT-10"] = invoice["reference"]
    return terms


def _supplied(invoice: Mapping[str, Any], issued: date) -> dict[str, date]:
    """The time that lines are of, where they say so. It may be still to come; the day of supply, which
    CII cannot do without, is none behind the day of issue.
    """
    periods = [line["period"] for line in invoice["lines"] if line["period"] is not None]
    if not periods:
        return {"BT-72": issued}
    last = max(last_day(period["end"]) for period in periods)
    first = min(date_of(period["start"]) for period in periods)
    return {"BT-72": min(last, issued), "BT-73": first, "BT-74": last}


def last_day(end: str) -> date:
    """The last day of a period that goes until just before this time."""
    return (datetime.fromisoformat(end) - _MOMENT).date()


def _line(invoice: Mapping[str, Any], place: int, line: Mapping[str, Any]) -> Terms:
    sign = "-" if line["is_credit"] else ""
    quantity = Decimal(line["quantity"]).quantize(_QUANTITY_DECIMALS)
    if not quantity:
        quantity = Decimal(1)
    text = format(quantity.normalize(), "f")
    made: Terms = {
        "BT-126": str(place),
        "BT-129": f"{sign}{text}",
        "BT-130": PIECES,
        "BT-131": f"{sign}{line['net']}" if Decimal(line["net"]) else line["net"],
        "BT-146": line["net"],
        "BT-149": text,
        **taxed(invoice, line),
        **named(line["description"]),
    }
    if line["period"] is not None:
        made["BT-134"] = date_of(line["period"]["start"])
        made["BT-135"] = last_day(line["period"]["end"])
    return made
