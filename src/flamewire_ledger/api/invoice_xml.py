"""An invoice for machines, by EN 16931: as Factur-X (the CII syntax) and as UBL 2.1.

Both are written by the library factur-x from the same terms (BT-1 …), and checked against the
schemas it brings along. Prices are given for the quantity of their line (BT-149), so that quantity
times price is the line's amount whatever was rounded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from flamewire_ledger.api.currencies import FIAT
from flamewire_ledger.domain.rejection import NotAllowed

Format: TypeAlias = Literal["facturx", "ubl"]
LEVEL: Final = "en16931"
_INVOICE: Final = "380"  # UNTDID 1001
_PIECES: Final = "C62"  # UN/ECE Recommendation 20: one
_QUANTITY_DECIMALS: Final = Decimal("0.0001")
_NOT_TAXED: Final = "No tax applies"


def xml_of(invoice: Mapping[str, Any], form: Format) -> bytes:
    """The document. Raises NotAllowed for what EN 16931 has no words for."""
    from facturx import generate_cii_xml, generate_ubl_xml  # 0.3 s to import

    if (missing := why_not(invoice)) is not None:
        raise NotAllowed(missing)
    logging.getLogger("factur-x").setLevel(logging.WARNING)
    write = generate_cii_xml if form == "facturx" else generate_ubl_xml
    made: bytes = write(_terms(invoice), level=LEVEL, check_xsd=True, check_schematron=None)
    return made


def why_not(invoice: Mapping[str, Any]) -> str | None:
    """Why an invoice cannot be written so; None: it can."""
    if invoice["kind"] == "receipt":
        return "a receipt names no buyer, and such a document needs one"
    if invoice["number"] is None:
        return "only an invoice that is final is written so"
    if invoice["currency"] not in FIAT:
        return "such documents are in ISO 4217 currencies only"
    if invoice["seller"] is None or invoice["seller"]["address"] is None:
        return "such a document needs the seller's address: say it with POST /v1/seller"
    customer = invoice["customer"]
    if customer["name"] is None or customer["address"] is None:
        return "such a document needs the customer's name and address"
    return None


def _terms(invoice: Mapping[str, Any]) -> dict[str, Any]:
    issued, due = _date(invoice["issued_at"]), _date(invoice["due_at"])
    total, paid = Decimal(invoice["total"]), Decimal(invoice["amount_paid"])
    terms: dict[str, Any] = {
        "BT-1": invoice["number"],
        "BT-2": issued,
        "BT-3": _INVOICE,
        "BT-5": invoice["currency"],
        "BT-9": due,
        "BT-72": _supplied(invoice) or issued,
        "BT-20": f"Due on {due.isoformat()}",
        "BG-4": _party(invoice["seller"]),
        "BG-7": _party(invoice["customer"]),
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
    if invoice["memo"] is not None:
        terms["BG-1"] = [{"BT-22": invoice["memo"]}]
    return terms


def _supplied(invoice: Mapping[str, Any]) -> date | None:
    """When the last of it was supplied, where lines say so."""
    ends = [line["period"]["end"] for line in invoice["lines"] if line["period"] is not None]
    return max(map(_date, ends), default=None)


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
    if party["tax_id"] is not None:
        # A VAT number begins with its country; any other number is of another register.
        is_vat = party["tax_id"][:2].isalpha()
        made["vat_identifier" if is_vat else "legal_identifier"] = party["tax_id"]
    if party["email"] is not None:
        made["einvoicing_addr"], made["einvoicing_addr_schemeid"] = party["email"], "EM"
    return made


def _category(invoice: Mapping[str, Any], rate: str | None) -> tuple[str, str | None]:
    """UNTDID 5305, and why there is no tax where that has to be said."""
    if rate is not None:
        return ("S", None) if Decimal(rate) else ("Z", None)
    only = all(each["rate"] is None for each in invoice["taxes"])
    return ("O" if only else "E"), _NOT_TAXED


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
    name, _, more = line["description"].partition("\n")
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
        made["BT-135"] = _date(line["period"]["end"])
    return made


def _date(text: str) -> date:
    return datetime.fromisoformat(text).date()
