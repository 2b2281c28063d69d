"""Invoices for machines: whatever is billed, taxed and paid, no rule of EN 16931 is broken."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from facturx import xml_check_xsd

from flamewire_ledger.api import credit_note_xml
from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.invoice_xml import why_not, xml_of
from flamewire_ledger.domain.invoice import (
    CreditedLine,
    InvoiceLine,
    IssueCreditNote,
    PayInvoice,
    Period,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.party import Address, Party
from flamewire_ledger.domain.rejection import NotAllowed, Rejection
from tests.api.invoice_rules import broken_rules
from tests.api.test_invoice_pdf import CUSTOMER, drawn, office, position, text_of, view
from tests.domain.invoice import billing
from tests.domain.invoice.billing import EUR, Office, days, line

BERLIN = Address("Torstraße 1", "Berlin", "DE", "10115")
SELLER = Party("FlameWire RPC GmbH", BERLIN, "DE123456789", "billing@flamewire.example")
FORMS: Any = pytest.mark.parametrize("form", ["facturx", "ubl"])


@pytest.fixture(autouse=True)
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", SELLER)


def checked(made: Office, form: Any) -> str:
    xml = xml_of(view(made), form)
    assert xml_check_xsd(xml)
    assert broken_rules(xml, form) == []
    return xml.decode()


def test_the_rules_find_what_is_wrong() -> None:
    xml = xml_of(view(office()), "facturx").replace(b">57.18<", b">57.19<")
    assert any("BR-CO-15" in rule or "BR-CO-16" in rule for rule in broken_rules(xml, "facturx"))


@FORMS
@pytest.mark.parametrize("includes_tax", [False, True])
def test_lines_credits_and_rates_add_up_by_its_arithmetic(form: Any, includes_tax: bool) -> None:
    text = checked(office(prices_include_tax=includes_tax), form)
    assert "Handbook" in text


@FORMS
@pytest.mark.parametrize("rates", [(None,), ("0",), (None, "19"), ("0", "7", "19", None)])
@pytest.mark.parametrize("tax_id", ["DE123456789", "12/345/67890"])
def test_whatever_is_taxed_and_whatever_number_the_seller_has(
    form: Any, rates: tuple[str | None, ...], tax_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "SELLER", replace(SELLER, tax_id=tax_id))
    made = office(*(line(10_00 + place, rate) for place, rate in enumerate(rates)))
    assert tax_id in checked(made, form)


@FORMS
@pytest.mark.parametrize(
    "number", ["GB999999973", "XI123456789", "12/345", "CHE-123.456.789", None]
)
def test_whatever_number_the_customer_has(form: Any, number: str | None) -> None:
    checked(office(customer=replace(CUSTOMER, tax_id=number)), form)


@FORMS
def test_what_is_paid_or_given_back_leaves_it_right(form: Any) -> None:
    made = office()
    made.do(PayInvoice("inv_1", "by bank", days(1), Amount(EUR, 100)))
    assert "1.00" in checked(made, form)
    made.do(IssueCreditNote("inv_1", "cn_1", "late", days(2), (CreditedLine(1, Amount(EUR, 100)),)))
    made.do(PayInvoice("inv_1", "by bank", days(3)))
    checked(made, form)
    checked(office(line(100, "19"), line(100, "19", is_credit=True)), form)


@FORMS
@pytest.mark.parametrize("seed", range(12))
def test_any_lines_are_right(form: Any, seed: int) -> None:
    chance = random.Random(seed)
    rates = chance.sample([None, "0", "5.5", "7", "7.7", "19", "33.333333"], 3)
    lines = [
        position(
            f"item {place}",
            str(chance.choice([1, 3, "0.333", "1250000", "0.00001"])),
            str(chance.choice(["0.01", "19.99", "0.000019", "1234.5", "0"])),
            rate,  # type: ignore[arg-type]
            is_credit=chance.random() < 0.2,
        )
        for place in range(chance.randint(1, 15))
        for rate in [chance.choice(rates)]
    ]
    try:
        made = office(*lines, prices_include_tax=chance.random() < 0.5)
    except Rejection:
        return  # more is given back than is charged
    checked(made, form)


@FORMS
def test_a_reverse_charge_says_who_owes_the_tax(form: Any) -> None:
    made = office(line(10_00), line(2_50), reverse_charge=True)
    text = checked(made, form)
    assert "VATEX-EU-AE" in text
    assert "Reverse charge" in text
    assert re.search(r"CategoryCode>AE<|:ID>AE<", text)
    paper = text_of(drawn(made))
    assert "Reverse charge: the tax is owed by the customer." in paper
    made.do(IssueCreditNote("inv_1", "cn_1", "late", days(1)))
    note = views.of_note_row(views.note_row_of(made.known.credit_notes[0]))
    xml = credit_note_xml.xml_of(note, form)
    assert broken_rules(xml, form) == []
    assert b"VATEX-EU-AE" in xml
    other = office(line(1), reverse_charge=True, customer=replace(CUSTOMER, tax_id="12/345"))
    assert "VAT numbers of both" in (why_not(view(other)) or "")
    assert "Reverse charge" not in text_of(drawn(office()))


def test_a_period_ends_on_its_last_day_and_supply_is_none_behind_the_issue() -> None:
    text = checked(office(), "ubl")
    assert "<cbc:StartDate>2025-12-01</cbc:StartDate>" in text
    assert "<cbc:EndDate>2026-01-01</cbc:EndDate>" in text  # it ends at noon
    month = billing.days(-0.5), billing.days(30.5)  # all of January
    coming = InvoiceLine("January", "1", None, Amount(EUR, 100), "19", Period(*month))
    text = checked(office(coming), "ubl")
    assert "<cbc:EndDate>2026-01-31</cbc:EndDate>" in text
    assert "<cbc:ActualDeliveryDate>2026-01-01</cbc:ActualDeliveryDate>" in text


def test_a_test_says_so() -> None:
    assert "TEST: no money is owed" in xml_of(view(office()), "ubl", is_test=True).decode()
    assert "TEST" not in xml_of(view(office()), "ubl").decode()


def test_what_xml_cannot_hold_is_no_reason_to_fail() -> None:
    made = office(InvoiceLine("\n a\uffff \ufffeb", "1", None, Amount(EUR, 100), "19"))
    assert "a\ufffd \ufffdb" in checked(made, "facturx")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "void"}, "nobody owes it"),
        ({"seller": {"address": {}, "tax_id": None}}, "tax id"),
        ({"currency": "KWD", "total": "1.000"}, "two decimals"),
        ({"customer": {**dict.fromkeys(["address", "tax_id"]), "name": " "}}, "customer's name"),
    ],
)
def test_what_is_no_such_document_is_refused(change: dict[str, Any], why: str) -> None:
    shown = {**view(office()), **change}
    assert why in (why_not(shown) or "")
    with pytest.raises(NotAllowed, match=why):
        xml_of(shown, "ubl")


def test_dinars_have_three_decimals_and_no_such_document() -> None:
    kwd = Asset("KWD", 3)
    made = office(InvoiceLine("x", "1", None, Amount(kwd, 1000)), currency=kwd)
    assert "two decimals" in (why_not(view(made)) or "")
