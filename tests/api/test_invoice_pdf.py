"""Invoices as documents: on paper for people, and in XML for machines."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd
from pypdf import PdfReader

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.invoice_pdf import Document, pdf_of
from flamewire_ledger.api.invoice_xml import xml_of
from flamewire_ledger.domain.invoice import (
    Customer,
    FinaliseInvoice,
    InvoiceLine,
    PayInvoice,
    Period,
    RecordInvoicePayment,
    SettledWith,
    VoidInvoice,
    priced,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.party import Address, Party
from flamewire_ledger.domain.rejection import NotAllowed
from tests.domain.invoice import billing
from tests.domain.invoice.billing import EUR, NOON, Office, days, draft, line, opened

TAO = Asset("bittensor:TAO", 9)
CUSTOMER = Customer(
    name="Åsa & Sons",
    address=Address("12 St James's Square", "London", "GB", "SW1Y 4JH"),
    tax_id="GB999999973",
    email="asa@example.com",
)
PAID = SettledWith(
    "bittensor", "0x" + "ab" * 32, Amount(TAO, 60606061), "412.5", "pl_1", NOON, ("kraken", "one")
)


@pytest.fixture(autouse=True)
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address("Torstraße 1", "Berlin", "DE", "10115")
    party = Party("FlameWire RPC GmbH", address, "DE123456789", "billing@flamewire.example")
    monkeypatch.setattr(billing, "SELLER", party)


def position(description: str, quantity: str, price: str, rate: str, **more: Any) -> InvoiceLine:
    amount = priced(quantity, price, EUR, is_credit=more.get("is_credit", False))
    return InvoiceLine(description, quantity, price, amount, rate, **more)


def office(*lines: InvoiceLine, **more: Any) -> Office:
    calls = position(
        "25 кредитов\nby the call",
        "1250000",
        "0.000019",
        "19",
        period=Period(NOON - timedelta(days=31), NOON),
    )
    unused = position("Unused time", "1", "2.50", "19", is_credit=True)
    book = position("Handbook", "2", "14.90", "7")
    fields = {"customer": CUSTOMER, "reference": "PO-17", "memo": "Thank you", **more}
    return opened(*(lines or (calls, unused, book)), **fields)


def view(made: Office) -> dict[str, Any]:
    return views.of_row(views.row_of_state(made.known), NOON)


def drawn(made: Office, *, is_test: bool = False) -> bytes:
    return pdf_of(Document(view(made), "shop", is_test=is_test))


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_everything_an_invoice_needs_is_on_it() -> None:
    made = office()
    made.do(RecordInvoicePayment("inv_1", "pi_1", Amount(EUR, 25_00), (PAID,), days(1)))
    made.do(PayInvoice("inv_1", "by bank", days(2), Amount(EUR, 1_00)))
    text = text_of(drawn(made, is_test=True))
    for wanted in (
        "FlameWire RPC GmbH", "DE123456789", "10115 Berlin", "Åsa & Sons", "GB999999973",
        "No. 2026-000001", "2026-01-01", "2026-01-15", "PO-17", "Thank you", "TEST",
        "25 кредитов", "1250000", "0.000019", "2025-12-01 to 2026-01-01", "−2.50",
        "51.05 EUR", "Tax 19 %", "4.04 EUR", "2.09", "57.18 EUR", "−26.00 EUR", "31.18 EUR",
        "0.060606061 TAO", "0x" + "ab" * 32, "1 TAO = 412.5 EUR", "kraken, one", "pl_1",
        "2026-01-01 12:00:00 UTC", "1.00 EUR: by bank", "1 / 2",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "VOID" not in text


def test_the_same_invoice_gives_the_same_bytes() -> None:
    assert drawn(office()) == drawn(office())
    assert "TEST" not in text_of(drawn(office()))


def test_a_void_invoice_says_so_and_a_draft_too() -> None:
    made = office()
    made.do(VoidInvoice("inv_1", "a mistake", days(1)))
    assert re.search("VOID[^$]*void: a mistake", text_of(drawn(made)))
    unfinished = Office()
    unfinished.do(draft(line(10_00, "19")))
    assert "DRAFT" in text_of(drawn(unfinished))


def test_it_is_pdf_a_3_and_carries_its_xml() -> None:
    pdf = drawn(office())
    catalog = PdfReader(io.BytesIO(pdf)).trailer["/Root"]
    metadata = catalog["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>3<" in metadata
    assert "<fx:ConformanceLevel>EN 16931<" in metadata
    assert catalog["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert catalog["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    name, xml = get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert (name, xml) == ("factur-x.xml", xml_of(view(office()), "facturx"))


@pytest.mark.parametrize(("form", "flavor"), [("facturx", "factur-x"), ("ubl", "ubl-2.1-invoice")])
@pytest.mark.parametrize("includes_tax", [False, True])
def test_the_xml_is_what_its_schema_says_and_adds_up(
    form: Any, flavor: str, includes_tax: bool
) -> None:
    made = office(prices_include_tax=includes_tax)
    shown = view(made)
    xml = xml_of(shown, form)
    assert xml_check_xsd(xml, flavor=flavor)
    assert xml == xml_of(shown, form)
    text = xml.decode()
    for wanted in ("2026-000001", "Åsa &amp; Sons", "25 кредитов", shown["total"], shown["net"]):
        assert wanted in text
    tag = "LineTotalAmount" if form == "facturx" else "LineExtensionAmount"
    amounts = re.findall(rf":{tag}[^>]*>(-?[0-9.]+)<", text)
    units = sum(round(float(it) * 100) for it in amounts[-3 if form == "ubl" else 0 :][:3])
    assert units == int(shown["net_minor"])


@pytest.mark.parametrize("rates", [(None,), ("0",), (None, "19"), ("0", "7", "19", None)])
@pytest.mark.parametrize("form", ["facturx", "ubl"])
def test_the_xml_is_valid_whatever_is_taxed(rates: tuple[str | None, ...], form: Any) -> None:
    made = office(*(line(10_00 + place, rate) for place, rate in enumerate(rates)))
    assert xml_check_xsd(xml_of(view(made), form))


@pytest.mark.parametrize("more", [{"customer": Customer(name="Ada")}, {"currency": TAO}])
def test_what_en_16931_has_no_words_for_is_refused_in_a_sentence(more: dict[str, Any]) -> None:
    amount = Amount(more.get("currency", EUR), 5)
    made = office(InvoiceLine("x", "1", None, amount), **more)
    with pytest.raises(NotAllowed, match="such"):
        xml_of(view(made), "ubl")
    assert drawn(made).startswith(b"%PDF")


def test_three_hundred_lines_go_over_pages_with_their_titles() -> None:
    lines = [line(100 + number, ("19", "7")[number % 2]) for number in range(300)]
    reader = PdfReader(io.BytesIO(drawn(office(*lines))))
    texts = [page.extract_text() for page in reader.pages]
    assert len(texts) > 5
    assert sum("Unit price" in text for text in texts) >= len(texts) - 2
    assert f"{len(texts)} / {len(texts)}" in texts[-1]


@pytest.mark.parametrize(
    "text",
    [
        "שירותי ענן (API) 2026",
        "الخدمة السحابية رقم ٥",
        "云服务 月费 クラウド 구름",
        "👩‍💻 emoji \u202e and marks \u0301\u200b",
        "W" * 2_000,
        "many\nlines\n" * 150,
        "\ud7ff\U0010ffff",
    ],
)
def test_text_in_any_script_and_of_any_length_is_drawn(text: str) -> None:
    made = opened(
        InvoiceLine(text, "1" * 30, "0." + "1" * 30, Amount(EUR, 10**30)),
        customer=Customer(name=text[:200]),
        reference=text[:200],
        memo=text[:2000],
    )
    assert drawn(made).startswith(b"%PDF")


def test_a_final_draft_keeps_the_seller_it_was_made_final_with() -> None:
    made = Office()
    made.do(draft(line(1)))
    made.do(FinaliseInvoice("inv_1", NOON))
    assert "FlameWire RPC GmbH" in text_of(drawn(made))
