"""Letters that fail keep no other letter waiting, and say amounts as the invoice does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from flamewire_ledger.api.models.invoices import Email
from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.mail.message import Letter, message_of
from flamewire_ledger.processes.invoice_delivery import InvoiceDelivery
from tests.processes.stories import MERCHANT, NOON


def row(number: int, **changes: Any) -> dict[str, Any]:
    made = {
        "invoice_id": f"inv_{number}",
        "merchant_id": MERCHANT,
        "merchant_name": "Bakery",
        "number": f"2026-{number:06d}",
        "seller": None,
        "livemode": True,
        "email": f"ada{number}@example.com",
        "delivery_attempts": 0,
        "issued_at": NOON,
        "due_at": NOON,
        "currency": "EUR",
        "decimals": 2,
        "total_units": 2500,
    }
    return {**made, **changes}


class Office:
    """Rows to be sent, a post that takes everything, and a writer that notes how often it was asked."""

    def __init__(self, *rows: Mapping[str, Any], broken: Sequence[str] = ()) -> None:
        self.rows = rows
        self.broken = broken
        self.letters: list[Letter] = []
        self.recorded: list[Envelope] = []

    async def ask(self, *_: object) -> Sequence[Mapping[str, Any]]:
        return self.rows

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Done]:
        self.recorded += envelopes
        return [Done(1, None, replayed=False) for _ in envelopes]

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    async def pdf(self, row: Mapping[str, Any]) -> bytes:
        if row["invoice_id"] in self.broken:
            raise ZeroDivisionError
        return b"%PDF"

    def delivery(self) -> InvoiceDelivery:
        sender = "billing@shop.example"
        return InvoiceDelivery(self, self, self, self, lambda: NOON, sender=sender, livemode=True)


async def test_an_invoice_that_cannot_be_drawn_keeps_no_other_waiting() -> None:
    office = Office(row(1), row(2), broken=["inv_1"])
    delivery = office.delivery()
    assert await delivery.look() == 1
    assert [letter.to for letter in office.letters] == ["ada2@example.com"]
    assert len(office.recorded) == 2, "the failure is recorded too, and tried again later"
    assert await delivery.look() == 0


async def test_what_failed_and_what_was_then_taken_are_two_commands() -> None:
    broken = Office(row(1), broken=["inv_1"])
    await broken.delivery().look()
    whole = Office(row(1))
    await whole.delivery().look()
    assert broken.recorded[0].command_id != whole.recorded[0].command_id


@pytest.mark.parametrize(
    ("currency", "decimals", "units", "said"),
    [
        ("EUR", 2, 2500, "Amount: 25.00 EUR"),
        ("JPY", 0, 100, "Amount: 100 JPY"),
        ("ethereum:ETH", 18, 36_815_625 * 10**9, "Amount: 0.036815625 ETH"),
        ("ethereum:USDC", 6, 80 * 10**6, "Amount: 80 USDC"),
    ],
)
async def test_a_letter_says_amounts_as_the_invoice_does(
    currency: str, decimals: int, units: int, said: str
) -> None:
    office = Office(row(1, currency=currency, decimals=decimals, total_units=units))
    await office.delivery().look()
    assert said in office.letters[0].text.splitlines()


@pytest.mark.parametrize(
    "text", ["<a@b.c", "a,b@x.c", "a@b..c", "a@-b", "a@b@c", "a b@c", "a@b\n", ".a@b", "é@b.c"]
)
def test_an_address_is_one_that_mail_takes(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(text)


@pytest.mark.parametrize("text", ["ada@example.com", "a.b+tag_1@x-y.example", "o'neil@localhost"])
def test_an_address_that_mail_takes_is_the_one_in_the_letter(text: str) -> None:
    assert TypeAdapter(Email).validate_python(text) == text
    letter = Letter("<m@x>", "a@b.c", "B", text, "s", "t", NOON)
    (to,) = message_of(letter)["To"].addresses
    assert to.addr_spec == text
