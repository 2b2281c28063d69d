"""Letters that invoices and credit notes are sent with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from flamewire_ledger.domain.money import major_text, printed_text
from flamewire_ledger.mail.message import Attachment, Letter

Row: TypeAlias = Mapping[str, Any]  # of the question, with its merchant's name and mode


class Documents(Protocol):
    """Draws papers: wiring hands it in, as drawing is the API's."""

    async def pdf(self, row: Row) -> bytes: ...

    async def credit_note_pdf(self, row: Row) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent, and what is asked to find it."""

    name: str
    read_model: str
    question: str
    id_name: str
    pdf: Callable[[Documents, Row], Awaitable[bytes]]
    says: Callable[[Row], list[str]]

    def id_of(self, row: Row) -> str:
        found: str = row[self.id_name]
        return found


def letter_of(kind: Kind, row: Row, pdf: bytes, message_id: str, sender: str) -> Letter:
    """The same each time: it bears the date of its paper."""
    seller = row["seller"] or {"name": row["merchant_name"], "email": None}
    number, name = row["number"], seller["name"]
    title = f"{kind.name.capitalize()} {number} from {name}"
    lines = [title, "", *kind.says(row), "", f"The {kind.name} is attached as a PDF."]
    if not row["livemode"]:
        lines += ["", "This is a test: no money is owed."]
    file_name = f"{kind.name.replace(' ', '-')}-{number}.pdf"
    return Letter(
        message_id=message_id,
        sender=sender,
        sender_name=name,
        to=row["email"],
        subject=title if row["livemode"] else f"[TEST] {title}",
        text="\n".join(lines) + "\n",
        at=row["issued_at"],
        reply_to=seller["email"],
        attachments=(Attachment(file_name, pdf, "application/pdf"),),
    )


def _of_invoice(row: Row) -> list[str]:
    return [f"Amount: {_money(row, 'total_units')}", f"Due: {row['due_at'].date().isoformat()}"]


def _of_credit_note(row: Row) -> list[str]:
    said = [
        f"Invoice: {row['invoice_number']}",
        f"Credited: {_money(row, 'total_units')}",
        f"Reason: {' '.join(row['reason'].split())}",
    ]
    if row["to_refund_units"]:
        said.insert(2, f"Of it to be refunded: {_money(row, 'to_refund_units')}")
    return said


def _money(row: Row, name: str) -> str:
    decimals, symbol = row["decimals"], row["currency"].rpartition(":")[2]
    return f"{printed_text(major_text(int(row[name]), decimals), decimals)} {symbol}"


KINDS: Final = (
    Kind(
        "invoice",
        "invoices",
        "invoices_to_send",
        "invoice_id",
        lambda documents, row: documents.pdf(row),
        _of_invoice,
    ),
    Kind(
        "credit note",
        "credit_notes",
        "credit_notes_to_send",
        "credit_note_id",
        lambda documents, row: documents.credit_note_pdf(row),
        _of_credit_note,
    ),
)
