"""An invoice on paper."""

from __future__ import annotations

import io
from typing import Any

from pypdf import PdfReader

from flamewire_ledger.api.invoice_pdf import Document, pdf_of

INVOICE: dict[str, Any] = {
    "id": "inv_01kg9ys7g0ev9sbv73a4ec6efj",
    "number": "2026-000001",
    "status": "paid",
    "currency": "USD",
    "total": "25.00",
    "lines": [
        {
            "description": "25 кредитов für Åsa",
            "quantity": "1",
            "unit_price": "25.00",
            "amount": "25.00",
        }
    ],
    "settled_with": [
        {
            "network": "bittensor",
            "asset": "TAO",
            "transaction_id": "0x" + "ab" * 32,
            "amount": "0.060606061",
            "price": "412.5",
            "price_lock_id": "pl_01kg9ys7g0ev9sbv73a4ec6efj",
        }
    ],
    "payment_intent_id": "pi_01kg9ys7g0ev9sbv73a4ec6efj",
    "credit_account_id": None,
    "reference": "order-17",
    "issued_at": "2026-01-31T12:00:00Z",
    "voided_at": None,
    "void_reason": None,
}


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_everything_an_invoice_needs_is_on_it():
    text = text_of(pdf_of(Document(INVOICE, "Sandbox Shop", is_test=True)))
    for wanted in (
        "Sandbox Shop",
        "2026-000001",
        "2026-01-31",
        "order-17",
        "25 кредитов für Åsa",
        "25.00 USD",
        "0.060606061 TAO",
        "0x" + "ab" * 32,
        "1 TAO = 412.5 USD",
        "pl_01kg9ys7g0ev9sbv73a4ec6efj",
        "TEST",
    ):
        assert wanted in text
    assert "VOID" not in text


def test_the_same_invoice_gives_the_same_bytes():
    document = Document(INVOICE, "Sandbox Shop", is_test=False)
    assert pdf_of(document) == pdf_of(document)
    assert "TEST" not in text_of(pdf_of(document))


def test_a_void_invoice_says_so():
    void = {**INVOICE, "status": "void", "void_reason": "the chain took it back"}
    text = text_of(pdf_of(Document(void, "Sandbox Shop", is_test=False)))
    assert "VOID" in text
    assert "the chain took it back" in text


def test_many_lines_go_on_to_another_page_and_long_ones_are_cut():
    long = {**INVOICE["lines"][0], "description": "x" * 500}
    many = {**INVOICE, "lines": [long] * 60, "reference": "y" * 200}
    pdf = pdf_of(Document(many, "Sandbox Shop", is_test=False))
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 1
    assert "xx…" in text_of(pdf)
