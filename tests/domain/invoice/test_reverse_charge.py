"""Where the tax is the customer's to pay: no line is taxed, and both are named by their tax ids."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.invoice import (
    AddLines,
    CreditNoteIssued,
    Customer,
    FinaliseInvoice,
    InvoiceLine,
    IssueCreditNote,
)
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.rejection import Malformed, NotAllowed
from tests.domain.invoice import billing
from tests.domain.invoice.billing import NOON, Office, draft, line

ADA = Customer(name="Ada", tax_id="FR12345678901")


def drafted(*lines: InvoiceLine, customer: Customer = ADA) -> Office:
    office = Office()
    office.do(draft(*lines, customer=customer, reverse_charge=True))
    return office


def test_it_is_owed_without_tax_and_so_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", Party("Bakery", tax_id="DE123456789"))
    office = drafted(line(10_00))
    office.do(FinaliseInvoice("inv_1", NOON))
    assert office.known.sums is not None
    assert (office.known.sums.tax.units, office.known.sums.total.units) == (0, 10_00)
    (note, *_) = office.do(IssueCreditNote("inv_1", "cn_1", "late", NOON))
    assert isinstance(note, CreditNoteIssued)
    assert note.reverse_charge


@pytest.mark.parametrize("rate", ["19", "0"])
def test_its_lines_have_no_rate(rate: str) -> None:
    with pytest.raises(Malformed, match="no rate"):
        drafted(line(10_00, rate))
    with pytest.raises(Malformed, match="no rate"):
        drafted(line(10_00)).do(AddLines("inv_1", (line(1, rate),), NOON))


def test_the_customer_and_the_seller_have_tax_ids() -> None:
    with pytest.raises(Malformed, match="tax id of the customer"):
        drafted(line(10_00), customer=Customer(name="Ada", tax_id=" "))
    with pytest.raises(NotAllowed, match="your tax id"):
        drafted(line(10_00)).do(FinaliseInvoice("inv_1", NOON))
