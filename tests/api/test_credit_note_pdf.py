"""Credit notes on paper."""

from __future__ import annotations

import pytest

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.credit_note_pdf import NoteDocument, pdf_of
from flamewire_ledger.domain.invoice import CreditedLine, Customer, IssueCreditNote, PayInvoice
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.party import Address, Party
from tests.api.test_invoice_pdf import office, sums_of, text_of
from tests.api.test_invoices import DRAFT, done, opened
from tests.api.world import World
from tests.domain.invoice import billing
from tests.domain.invoice.billing import EUR, Office, days, line

SELLER = Party("FlameWire RPC GmbH", Address("Torstraße 1", "Berlin", "DE", "10115"), "DE123456789")


@pytest.fixture(autouse=True)
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", SELLER)


def credited(made: Office, *lines: CreditedLine) -> Office:
    made.do(IssueCreditNote("inv_1", "cn_1", "it came twice", days(3), lines))
    return made


def drawn(made: Office, *, is_test: bool = False) -> bytes:
    note = views.of_note_row(views.note_row_of(made.known.credit_notes[-1]))
    account = {"name": "Ada Labs", "external_id": "customer-7"}
    return pdf_of(NoteDocument(note, "shop", is_test, account))


def test_it_says_what_is_given_back_of_which_invoice_and_why() -> None:
    made = office()
    made.do(PayInvoice("inv_1", "by bank", days(2)))
    credited(made, CreditedLine(1, Amount(EUR, 20_00)), CreditedLine(3, Amount(EUR, 14_90)))
    text = text_of(drawn(made, is_test=True))
    for wanted in (
        "Credit note", "No. CN-2026-000001", "No. 2026-000001 of 2026-01-01", "2026-01-04", "it came twice",
        "FlameWire RPC GmbH", "DE123456789", "Åsa & Sons", "GB999999973", "TEST",
        "25 кредитов 1 19 % 20.00", "Handbook 3 7 % 14.90", "1 / 1",
    ):  # fmt: skip
        assert wanted in text, wanted
    sums = sums_of(text, "EUR")
    assert sums["Net"] == "34.90"
    assert "Tax 19 % 3.80 EUR\nTax 7 % 1.04 EUR" in text
    assert sums["Credited"] == sums["Of it to be refunded"] == "39.74"


def test_what_was_not_paid_is_not_refunded_and_what_was_a_credit_is_taken_back() -> None:
    made = credited(office(line(10_00, "19"), line(2_00, "19", is_credit=True)))
    text = text_of(drawn(made))
    assert "Bread 2 19 % −2.00" in text
    assert sums_of(text, "EUR")["Credited"] == "9.52"
    assert "refunded" not in text
    assert "TEST" not in text


def test_a_customer_without_a_name_is_the_credit_account() -> None:
    made = credited(office(line(1), customer=Customer(credit_account_id="ca_1")))
    assert "Bill to\nAda Labs\ncustomer-7\nca_1\n" in text_of(drawn(made))


def test_the_same_note_gives_the_same_bytes() -> None:
    assert drawn(credited(office())) == drawn(credited(office()))


async def test_it_is_its_merchants_to_print(ledger: World) -> None:
    invoice = await opened(ledger, DRAFT)
    note = await done(ledger, f"{invoice['id']}/credit_notes", {"reason": "late"})
    printed = await ledger.get(f"/v1/credit_notes/{note['id']}.pdf")
    assert (printed.status_code, printed.headers["content-type"]) == (200, "application/pdf")
    assert f'filename="credit-note-{note["number"]}.pdf"' in printed.headers["content-disposition"]
    assert note["number"] in text_of(printed.content)
    assert (await ledger.get("/v1/credit_notes/cn_nobody.pdf")).status_code == 404
