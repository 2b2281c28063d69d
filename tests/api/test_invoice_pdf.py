"""Invoices as documents: on paper for people, and in XML for machines."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd
from pypdf import PdfReader

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.invoice_pdf import Document, pdf_of
from flamewire_ledger.api.invoice_xml import xml_of
from flamewire_ledger.api.paper import Paper
from flamewire_ledger.domain.invoice import (
    CreditedLine,
    Customer,
    FinaliseInvoice,
    InvoiceLine,
    IssueCreditNote,
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
from flamewire_ledger.wiring.mail import Drawn
from tests.api.test_invoices import DRAFT, react, succeed
from tests.api.test_invoices import opened as opened_in
from tests.api.world import World
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


def sums_of(text: str, currency: str) -> dict[str, str]:
    found = re.findall(rf"^(\D+) (−?[0-9.]+) {currency}$", text, re.MULTILINE)
    return dict(found)


def test_what_was_paid_and_then_credited_adds_up_to_what_is_due() -> None:
    made = opened(line(99_00, "19"), line(1_00), customer=CUSTOMER)
    made.do(PayInvoice("inv_1", "by bank", days(1), Amount(EUR, 100_00)))
    assert "refunded" not in text_of(drawn(made))
    lines = (CreditedLine(1, Amount(EUR, 20_00)),)
    made.do(IssueCreditNote("inv_1", "cn_1", "it was slow", days(2), lines))
    sums = sums_of(text_of(drawn(made)), "EUR")
    assert (sums["Total"], sums["Credited"], sums["Paid"]) == ("118.81", "−23.80", "−100.00")
    assert (sums["To be refunded"], sums["Due"]) == ("4.99", "0.00")
    after = ("Total", "Credited", "Paid", "To be refunded")
    left = sum(Decimal(sums[name].replace("−", "-")) for name in after)
    assert left == Decimal(sums["Due"])


def test_crypto_has_no_needless_zeros_and_fiat_has_all_its_decimals() -> None:
    eth = Asset("ethereum:ETH", 18)
    priced_in_eth = Amount(eth, 36_815_625 * 10**9)
    fee = InvoiceLine("Fee", "1", "0.0368156250", priced_in_eth)
    text = text_of(drawn(opened(fee, currency=eth)))
    assert sums_of(text, "ETH") == dict.fromkeys(("Net", "Total", "Due"), "0.036815625")
    assert "Fee 1 0.036815625 0.036815625" in text
    made = opened(InvoiceLine("Fee", "1", "20.00", Amount(EUR, 20_00)))
    paid = replace(PAID, amount=Amount(eth, 2 * 10**18))
    made.do(RecordInvoicePayment("inv_1", "pi_1", Amount(EUR, 20_00), (paid,), days(1)))
    text = text_of(drawn(made))
    assert "Amount 2 ETH" in text
    assert "Fee 1 20.00 20.00" in text
    assert sums_of(text, "EUR")["Due"] == "0.00"


def test_a_customer_who_is_a_credit_account_has_its_name() -> None:
    account = {"name": "Ada Labs", "external_id": "customer-7"}
    made = opened(line(1), customer=Customer(credit_account_id="ca_1"))
    text = text_of(pdf_of(Document(view(made), "shop", is_test=False, account=account)))
    assert "Bill to\nAda Labs\ncustomer-7\nca_1\n" in text
    named = opened(line(1), customer=replace(CUSTOMER, credit_account_id="ca_1"))
    text = text_of(pdf_of(Document(view(named), "shop", is_test=False, account=account)))
    assert "Åsa & Sons" in text
    assert "Ada Labs" not in text


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ({"name": "Ada Labs", "external_id": "customer-7"}, "Customer\nAda Labs\ncustomer-7\n"),
        ({"external_id": "customer-7"}, "Customer\ncustomer-7\n"),
        ({}, None),
    ],
)
async def test_a_receipt_says_who_bought_what_and_at_whose_price(
    ledger: World, who: dict[str, str], shown: str | None
) -> None:
    account = (await ledger.post("/v1/credit_accounts", who)).json()["id"]
    wanted = {
        "amount": "80.00",
        "currency": "USD",
        "credit_account_id": account,
        "pay_with": [{"network": "ethereum", "asset": "USDC"}],
    }
    intent = (await ledger.post("/v1/payment_intents", wanted)).json()
    await succeed(ledger, intent)
    await react(ledger)
    (receipt,) = (await ledger.get("/v1/invoices")).json()["data"]
    text = text_of((await ledger.get(f"/v1/invoices/{receipt['id']}.pdf")).content)
    assert "\n80 credits 1 80.00 80.00\n" in text
    assert (shown or "From") in text
    assert ("Customer" in text) == (shown is not None)
    assert f"Credit account {account}" in text
    # Of a dollar and a coin that stands for one, the price is a locked quote like any other.
    (paid,) = receipt["settled_with"]
    assert "Amount 80 USDC" in text
    assert "Rate 1 USDC = 1 USD" in text
    assert f"Locked {paid['locked_at'][:19].replace('T', ' ')} UTC, by one, two" in text
    assert f"Price lock {paid['price_lock_id']}" in text
    assert f"Receipt {receipt['number']} 1 / 1" in text  # at the foot of the page
    assert "Invoice" not in text


async def test_what_is_sent_by_mail_knows_the_credit_account(ledger: World) -> None:
    who = {"name": "Ada Labs", "external_id": "customer-7"}
    account = (await ledger.post("/v1/credit_accounts", who)).json()["id"]
    customer = {"credit_account_id": account, "email": "ada@example.com"}
    invoice = await opened_in(ledger, {**DRAFT, "customer": customer})
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)
    asked = {"now": ledger.clock.now(), "livemode": False, "limit": 2}
    (row,) = await ledger.reads.ask("invoices", "invoices_to_send", asked)
    sent = await Drawn("").pdf(row)
    assert "Bill to\nAda Labs\ncustomer-7\n" in text_of(sent)
    assert sent == (await ledger.get(f"/v1/invoices/{invoice['id']}.pdf")).content
    path = f"/v1/invoices/{invoice['id']}/credit_notes"
    note = (await ledger.post(path, {"reason": "late"})).json()
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)
    (row,) = await ledger.reads.ask("credit_notes", "credit_notes_to_send", asked)
    sent = await Drawn("").credit_note_pdf(row)
    assert "Bill to\nAda Labs\ncustomer-7\n" in text_of(sent)
    assert sent == (await ledger.get(f"/v1/credit_notes/{note['id']}.pdf")).content


def test_the_same_invoice_gives_the_same_bytes() -> None:
    assert drawn(office()) == drawn(office())
    plain = drawn(opened(line(1), customer=Customer(name="Ada")))
    metadata = PdfReader(io.BytesIO(plain)).xmp_metadata
    assert metadata is not None
    noon = NOON.replace(tzinfo=None)
    times = (metadata.xmp_create_date, metadata.xmp_modify_date, metadata.xmp_metadata_date)
    assert times == (noon, noon, noon)  # and never the time of drawing
    assert (metadata.pdfaid_part, metadata.pdfaid_conformance) == ("3", "B")
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


def test_numbers_of_any_length_are_not_broken() -> None:
    eth = Asset("ethereum:ETH", 18)
    gas = InvoiceLine(
        "Gas of validators",
        "123456.789012345678901234",
        "0.000000000000000001",
        Amount(eth, 10**27 + 123456789012345678),
        "33.333333",
    )
    text = text_of(drawn(opened(gas, currency=eth)))
    row = "123456.789012345678901234 0.000000000000000001 33.333333 % 1000000000.123456789012345678"
    assert f"Gas of validators {row}" in text
    assert "1333333330.164609051604938274 ETH" in text


def test_a_long_name_leaves_the_foot_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", replace(billing.SELLER, name="Very " * 60 + "Ltd"))
    text = text_of(drawn(opened(line(1))))
    assert re.search(r"V\w*… · Invoice 2026-000001 1 / 1", text)


def test_letters_that_join_are_joined() -> None:
    def width(text: str) -> float:
        return Paper("t", "a", NOON).width_of(text)

    assert width("\u0628" * 4) < 0.8 * width("\u0628\u200c" * 4)
    assert width("\u0915\u094d\u0937") < 0.8 * width("\u0915\u094d\u200c\u0937")


def test_what_no_font_has_is_a_number_on_paper_and_itself_in_xml() -> None:
    made = office(position("Care 👩‍💻", "1", "1.00", "19"), customer=replace(CUSTOMER, name="บริษัท"))
    pdf = drawn(made)
    text = text_of(pdf)
    assert "บริษัท" in text
    assert "[U+1F469]" in text
    assert "is written as its number in Unicode" in text
    assert drawn(made) == pdf
    _, xml = get_facturx_xml_from_pdf(pdf)
    assert "Care 👩‍💻" in xml.decode()
    assert "Unicode" not in text_of(drawn(office()))


@pytest.mark.parametrize(
    "text",
    [
        "บริการ" * 300,
        "सेवा " * 300,
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
