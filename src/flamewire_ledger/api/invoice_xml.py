"""An invoice for machines, by EN 16931: as Factur-X (the CII syntax) and as UBL 2.1.

Both are written by the library factur-x from the same terms (BT-1 …), and checked against the
schemas it brings along. Prices are given for the quantity of their line (BT-149), so that quantity
times price is the line's amount whatever was rounded. What would break a rule of the standard is no
such document, and is refused with what is missing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from flamewire_ledger.api.currencies import FIAT
from flamewire_ledger.api.rendering import for_xml
from flamewire_ledger.domain.rejection import NotAllowed

Format: TypeAlias = Literal["facturx", "ubl"]
LEVEL: Final = "en16931"
_INVOICE: Final = "380"  # UNTDID 1001
_PIECES: Final = "C62"  # UN/ECE Recommendation 20: one
_QUANTITY_DECIMALS: Final = Decimal("0.0001")
_NOT_TAXED: Final = "No tax applies"
_TEST: Final = "TEST: no money is owed"
_DECIMALS_MAX: Final = 2  # BR-DEC-12 and its like
# What VAT numbers begin with, where that is not the country of the address (BR-CO-09).
_VAT_PREFIX: Final = re.compile(
    "AT|BE|BG|CH|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK|XI"
)
_MOMENT: Final = timedelta(microseconds=1)


def xml_of(invoice: Mapping[str, Any], form: Format, *, is_test: bool = False) -> bytes:
    """The document; it says of itself when it is a test. Raises NotAllowed for what EN 16931 has no
    words for.
    """
    from facturx import generate_cii_xml, generate_ubl_xml  # 0.3 s to import

    if (missing := why_not(invoice)) is not None:
        raise NotAllowed(missing)
    logging.getLogger("factur-x").setLevel(logging.WARNING)
    write = generate_cii_xml if form == "facturx" else generate_ubl_xml
    terms = _writable(_terms(invoice, is_test=is_test))
    made: bytes = write(terms, level=LEVEL, check_xsd=True, check_schematron=None)
    return made


def _writable(value: Any) -> Any:
    match value:
        case str():
            return for_xml(value)
        case dict():
            return {name: _writable(each) for name, each in value.items()}
        case list():
            return [_writable(each) for each in value]
        case _:
            return value


def why_not(invoice: Mapping[str, Any]) -> str | None:
    """Why an invoice cannot be written so; None: it can."""
    if invoice["kind"] == "receipt":
        return "a receipt names no buyer, and such a document needs one"
    if invoice["number"] is None:
        return "only an invoice that is final is written so"
    if invoice["status"] == "void":
        return "an invoice that is void is no such document: nobody owes it"
    decimals = len(invoice["total"].partition(".")[2])
    if invoice["currency"] not in FIAT or decimals > _DECIMALS_MAX:
        return "such documents are in ISO 4217 currencies of two decimals at most"
    seller, customer = invoice["seller"], invoice["customer"]
    if seller is None or seller["address"] is None or seller["tax_id"] is None:
        return (
            "such a document needs the seller's address and tax id: say them with POST /v1/seller"
        )
    if not (customer["name"] or "").strip() or customer["address"] is None:
        return "such a document needs the customer's name and address"
    return None


def _terms(invoice: Mapping[str, Any], *, is_test: bool) -> dict[str, Any]:
    issued, due = _date(invoice["issued_at"]), _date(invoice["due_at"])
    total, paid = Decimal(invoice["total"]), Decimal(invoice["amount_paid"])
    terms: dict[str, Any] = {
        "BT-1": invoice["number"],
        "BT-2": issued,
        "BT-3": _INVOICE,
        "BT-5": invoice["currency"],
        "BT-9": due,
        **_supplied(invoice, issued),
        "BT-20": f"Due on {due.isoformat()}",
        "BG-4": {**_party(invoice["seller"]), **_seller_ids(invoice)},
        "BG-7": {**_party(invoice["customer"]), **_customer_ids(invoice)},
        "BG-23": [_tax(invoice, each) for each in invoice["taxes"]],
        "BG-25": [_line(invoice, place, line) for place, line in enumerate(invoice["lines"], 1)],
        "BT-106": invoice["net"],
        "BT-109": invoice["net"],
        "BT-110": invoice["tax"],
        "BT-112": invoice["total"],
        "BT-113": str(paid),
        "BT-115": str(total - paid),
    }
    if invoice["reference"] is not None:
        terms["BT-10"] = invoice["reference"]
    notes = [note for note in (_TEST if is_test else None, invoice["memo"]) if note is not None]
    if notes:
        terms["BG-1"] = [{"BT-22": note} for note in notes]
    return terms


def _supplied(invoice: Mapping[str, Any], issued: date) -> dict[str, date]:
    """The time that lines are of, where they say so. It may be still to come; the day of supply, which
    CII cannot do without, is none behind the day of issue.
    """
    periods = [line["period"] for line in invoice["lines"] if line["period"] is not None]
    if not periods:
        return {"BT-72": issued}
    last = max(last_day(period["end"]) for period in periods)
    first = min(_date(period["start"]) for period in periods)
    return {"BT-72": min(last, issued), "BT-73": first, "BT-74": last}


def last_day(end: str) -> date:
    """The last day of a period that goes until just before this time."""
    return (datetime.fromisoformat(end) - _MOMENT).date()


def _party(party: Mapping[str, Any]) -> dict[str, Any]:
    address = party["address"]
    made: dict[str, Any] = {
        "name": party["name"],
        "country_code": address["country"],
        "city": address["city"],
        "addr_l1": address["line1"],
    }
    for name, key in (("addr_l2", "line2"), ("postcode", "postal_code")):
        if address[key] is not None:
            made[name] = address[key]
    if address["state"] is not None:
        made["country_subdivision"] = address["state"]
    if party["email"] is not None:
        made["einvoicing_addr"], made["einvoicing_addr_schemeid"] = party["email"], "EM"
    return made


def _seller_ids(invoice: Mapping[str, Any]) -> dict[str, str]:
    seller = invoice["seller"]
    if _is_vat_number(seller) and not _is_outside(invoice):
        return {"vat_identifier": seller["tax_id"]}
    return {"legal_identifier": seller["tax_id"], "tax_identifier": seller["tax_id"]}


def _customer_ids(invoice: Mapping[str, Any]) -> dict[str, str]:
    customer = invoice["customer"]
    if customer["tax_id"] is None:
        return {}
    is_vat = _is_vat_number(customer) and not _is_outside(invoice)
    return {"vat_identifier" if is_vat else "legal_identifier": customer["tax_id"]}


def _is_vat_number(party: Mapping[str, Any]) -> bool:
    """A VAT number begins with its country; any other number is of another register."""
    prefix, number = party["tax_id"][:2], party["tax_id"][2:]
    known = _VAT_PREFIX.fullmatch(prefix) or prefix == party["address"]["country"]
    return bool(known) and any(sign.isdigit() for sign in number)


def _is_outside(invoice: Mapping[str, Any]) -> bool:
    """No tax at all: then no VAT number is named (BR-O-02)."""
    return all(each["rate"] is None for each in invoice["taxes"])


def _category(invoice: Mapping[str, Any], rate: str | None) -> tuple[str, str | None]:
    """UNTDID 5305, and why there is no tax where that has to be said."""
    if rate is not None:
        return ("S", None) if Decimal(rate) else ("Z", None)
    return ("O" if _is_outside(invoice) else "E"), _NOT_TAXED


def _tax(invoice: Mapping[str, Any], each: Mapping[str, Any]) -> dict[str, Any]:
    code, reason = _category(invoice, each["rate"])
    made = {"BT-116": each["net"], "BT-117": each["tax"], "BT-118": code}
    if code != "O":
        made["BT-119"] = each["rate"] or "0"
    if reason is not None:
        made["BT-120"] = reason
    return made


def _line(invoice: Mapping[str, Any], place: int, line: Mapping[str, Any]) -> dict[str, Any]:
    sign = "-" if line["is_credit"] else ""
    quantity = Decimal(line["quantity"]).quantize(_QUANTITY_DECIMALS)
    if not quantity:
        quantity = Decimal(1)
    text = format(quantity.normalize(), "f")
    code, _ = _category(invoice, line["tax_rate"])
    name, _, more = line["description"].strip().partition("\n")
    made: dict[str, Any] = {
        "BT-126": str(place),
        "BT-129": f"{sign}{text}",
        "BT-130": _PIECES,
        "BT-131": f"{sign}{line['net']}" if Decimal(line["net"]) else line["net"],
        "BT-146": line["net"],
        "BT-149": text,
        "BT-151": code,
        "BT-153": name,
    }
    if code != "O":
        made["BT-152"] = line["tax_rate"] or "0"
    if more.strip():
        made["BT-154"] = more.strip()
    if line["period"] is not None:
        made["BT-134"] = _date(line["period"]["start"])
        made["BT-135"] = last_day(line["period"]["end"])
    return made


def _date(text: str) -> date:
    return datetime.fromisoformat(text).date()
