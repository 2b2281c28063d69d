"""Credit notes for machines: whatever is given back, no rule of EN 16931 is broken."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd
from pypdf import PdfReader

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.credit_note_pdf import NoteDocument, pdf_of
from flamewire_ledger.api.credit_note_xml import why_not, xml_of
from flamewire_ledger.domain.invoice import CreditedLine, Customer, IssueCreditNote, PayInvoice
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import NotAllowed, Rejection
from tests.api.invoice_rules import broken_rules
from tests.api.test_invoice_pdf import office
from tests.api.test_invoice_xml import FORMS, SELLER
from tests.api.test_invoices import DRAFT, done, opened
from tests.api.world import World
from tests.domain.invoice import billing
from tests.domain.invoice.billing import EUR, Office, days, line


@pytest.fixture(autouse=True)
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", SELLER)


def credited(made: Office, *lines: CreditedLine) -> dict[str, Any]:
    made.do(IssueCreditNote("inv_1", "cn_1", "it came twice", days(3), lines))
    return views.of_note_row(views.note_row_of(made.known.credit_notes[-1]))


def checked(note: dict[str, Any], form: Any) -> str:
    xml = xml_of(note, form)
    assert xml_check_xsd(xml)
    assert broken_rules(xml, form) == []
    return xml.decode()


@FORMS
@pytest.mark.parametrize("includes_tax", [False, True])
def test_it_is_a_credit_note_of_that_invoice_and_of_this_reason(
    form: Any, includes_tax: bool
) -> None:
    made = office(prices_include_tax=includes_tax)
    made.do(PayInvoice("inv_1", "by bank", days(2)))
    note = credited(made, CreditedLine(1, Amount(EUR, 20_00)), CreditedLine(3, Amount(EUR, 14_90)))
    text = checked(note, form)
    kind = {"facturx": ":TypeCode>381<", "ubl": ":CreditNoteTypeCode>381<"}[form]
    for wanted in (kind, "CN-2026-000001", ">2026-000001<", "it came twice", note["total"]):
        assert wanted in text, wanted
    assert {"facturx": ">20260101<", "ubl": ":IssueDate>2026-01-01<"}[
        form
    ] in text  # of the invoice
    assert ("CreditNote-2" in text) == (form == "ubl")


@FORMS
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_given_back_is_right(form: Any, seed: int) -> None:
    drawn = random.Random(seed)
    rates = drawn.sample([None, "0", "5.5", "7", "19", "33.333333"], 3)
    lines = [
        line(drawn.randint(1, 9_999), drawn.choice(rates), is_credit=drawn.random() < 0.15)
        for _ in range(drawn.randint(1, 9))
    ]
    try:
        made = office(*lines, prices_include_tax=drawn.random() < 0.5)
        picked = sorted(drawn.sample(range(len(lines)), drawn.randint(0, len(lines))))
        parts = [
            CreditedLine(it + 1, Amount(EUR, drawn.randint(1, lines[it].amount.units)))
            for it in picked
        ]
        note = credited(made, *parts)
    except Rejection:
        return  # more is given back than is charged
    checked(note, form)


def test_what_names_no_customer_is_no_such_document() -> None:
    note = credited(office(customer=Customer(name="Ada")))
    assert "customer's name and address" in (why_not(note) or "")
    with pytest.raises(NotAllowed, match="address"):
        xml_of(note, "ubl")
    assert pdf_of(NoteDocument(note, "shop", is_test=False)).startswith(b"%PDF")


def test_its_paper_carries_it() -> None:
    note = credited(office())
    pdf = pdf_of(NoteDocument(note, "shop", is_test=True))
    name, xml = get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert (name, xml) == ("factur-x.xml", xml_of(note, "facturx", is_test=True))
    assert "TEST" in xml.decode()
    catalog = PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    assert "<fx:ConformanceLevel>EN 16931<" in catalog["/Metadata"].get_object().get_data().decode()


async def test_it_is_its_merchants_to_fetch(ledger: World) -> None:
    address = {"line1": "Mill Lane 1", "city": "Berlin", "country": "DE"}
    await ledger.post("/v1/seller", {"name": "Bakery", "tax_id": "DE1", "address": address})
    invoice = await opened(ledger, {**DRAFT, "customer": {"name": "Ada", "address": address}})
    note = await done(ledger, f"{invoice['id']}/credit_notes", {"reason": "late"})
    found = await ledger.get(f"/v1/credit_notes/{note['id']}.xml", format="ubl")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/xml")
    name = f'filename="credit-note-{note["number"]}-ubl.xml"'
    assert name in found.headers["content-disposition"]
    assert note["number"] in found.text
    assert (await ledger.get("/v1/credit_notes/cn_nobody.xml")).status_code == 404
