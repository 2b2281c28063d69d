"""Letters that fail keep no other letter waiting, and say amounts as the invoice does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from flamewire_ledger.api.models.invoices import Email
from flamewire_ledger.commands.decider import Done, Envelope, Failed
from flamewire_ledger.mail.message import Letter, message_of
from flamewire_ledger.mail.smtp import NotSent
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
        self.refuses_to_record = 0
        self.refused: dict[str, NotSent] = {}

    async def ask(self, read_model: str, *_: object) -> Sequence[Mapping[str, Any]]:
        notes = read_model == "credit_notes"
        return [row for row in self.rows if ("credit_note_id" in row) == notes]

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Done | Failed]:
        self.recorded += envelopes
        if self.refuses_to_record:
            self.refuses_to_record -= 1
            return [Failed(ConnectionError()) for _ in envelopes]
        return [Done(1, None, replayed=False) for _ in envelopes]

    async def send(self, letter: Letter) -> None:
        if letter.to in self.refused:
            raise self.refused[letter.to]
        self.letters.append(letter)

    async def pdf(self, row: Mapping[str, Any]) -> bytes:
        if row["invoice_id"] in self.broken:
            raise ZeroDivisionError
        return b"%PDF"

    async def credit_note_pdf(self, row: Mapping[str, Any]) -> bytes:
        return b"%PDF of a note"

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


def note(number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "credit_note_id": f"cn_{number}",
        "number": f"CN-2026-{number:06d}",
        "invoice_number": "2026-000001",
        "reason": "it came\ntwice",
        "to_refund_units": 1500,
    }
    return {**row(number), **fields, **changes}


async def test_a_credit_note_is_sent_as_an_invoice_is() -> None:
    office = Office(note(1), note(2, to_refund_units=0, livemode=False))
    delivery = office.delivery()
    assert await delivery.look() == 2
    assert await delivery.look() == 0
    first, second = office.letters
    assert first.subject == "Credit note CN-2026-000001 from Bakery"
    assert first.message_id == "<cn_1@shop.example>"
    assert first.text.splitlines()[2:6] == [
        "Invoice: 2026-000001",
        "Credited: 25.00 EUR",
        "Of it to be refunded: 15.00 EUR",
        "Reason: it came twice",
    ]
    assert [(it.name, it.content) for it in first.attachments] == [
        ("credit-note-CN-2026-000001.pdf", b"%PDF of a note")
    ]
    assert second.subject.startswith("[TEST] ")
    assert "refunded" not in second.text


async def test_what_was_taken_is_not_sent_again_because_it_could_not_be_recorded() -> None:
    office = Office(row(1))
    delivery = office.delivery()
    office.refuses_to_record = 3
    for _ in range(6):
        await delivery.look()
    assert len(office.letters) == 1
    assert len(office.recorded) == 4, "recorded as often as it takes, and no more"
    assert len({it.command_id for it in office.recorded}) == 1


async def test_one_that_is_refused_keeps_no_other_waiting() -> None:
    office = Office(row(1), row(2), note(3))
    office.refused["ada1@example.com"] = NotSent("no such user", is_final=True)
    assert await office.delivery().look() == 2
    assert [letter.to for letter in office.letters] == ["ada2@example.com", "ada3@example.com"]


async def test_a_fault_in_sending_is_an_attempt_and_keeps_no_other_waiting() -> None:
    office = Office(row(1), row(2))
    office.refused["ada1@example.com"] = UnicodeError("no such letter")  # type: ignore[assignment]
    delivery = office.delivery()
    assert await delivery.look() == 1
    assert len(office.recorded) == 2, "so it is tried a bounded number of times"
    assert await delivery.look() == 0


async def test_letters_that_are_never_recorded_leave_room_for_others() -> None:
    office = Office(*(row(number) for number in range(45)))
    asked: list[Any] = []
    ask, submit = office.ask, office.submit_many

    async def paged(read_model: str, question: str, parameters: Any) -> Sequence[Mapping[str, Any]]:
        asked.append(parameters["limit"])
        return (await ask(read_model))[: parameters["limit"]]

    async def refused(envelopes: Sequence[Envelope]) -> Sequence[Done | Failed]:
        await submit(envelopes)
        return [Failed(ValueError()) for _ in envelopes]

    office.ask, office.submit_many = paged, refused  # type: ignore[method-assign,assignment]
    delivery = office.delivery()
    for _ in range(3):
        await delivery.look()
    assert len({letter.to for letter in office.letters}) == len(office.letters) == 45


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
