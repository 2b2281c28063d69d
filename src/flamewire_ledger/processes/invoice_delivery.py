"""Invoice delivery: what became final is sent to the customer's address, once.

The read model knows what is to be sent. A letter that the server has taken is recorded; should that
fail, it is sent again with the same message id, so that whoever gets it twice can tell. What is
refused for good is not tried again; all else a bounded number of times. One process of a mode does
this, whoever has the turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from flamewire_ledger.commands.decider import Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.invoice import RecordDelivery, RecordDeliveryFailure
from flamewire_ledger.domain.money import major_text, printed_text
from flamewire_ledger.mail.message import Attachment, Letter
from flamewire_ledger.mail.smtp import NotSent
from flamewire_ledger.processes.envelopes import envelope_of
from flamewire_ledger.queries.database import ReadModelNotBuilt

_log = structlog.get_logger(__name__)
READ_MODEL: Final = "invoices"
# After the first attempt, the second …: ten attempts within three days.
AGAIN_AFTER: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 300, 600, 840, 1200, 1440)
)
ATTEMPTS_MAX: Final = len(AGAIN_AFTER) + 1
_PAGE: Final = 20
_WAIT_SECONDS_MAX: Final = 60.0
_SENT_MAX: Final = 10_000


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]: ...


class Writer(Protocol):
    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class Post(Protocol):
    """mail/smtp.py keeps it."""

    async def send(self, letter: Letter) -> None: ...


class Documents(Protocol):
    """Draws an invoice: wiring hands it in, as drawing is the API's."""

    async def pdf(self, row: Mapping[str, Any]) -> bytes: ...


class InvoiceDelivery:
    """`run` looks until it is cancelled; `look` once."""

    def __init__(
        self,
        reads: ReadModels,
        writer: Writer,
        post: Post,
        documents: Documents,
        now: Callable[[], datetime],
        *,
        sender: str,
        livemode: bool,
        poll_seconds: float = 2.0,
    ) -> None:
        """`sender` is the address letters are from; its domain is that of their ids."""
        self._reads = reads
        self._writer = writer
        self._post = post
        self._documents = documents
        self._now = now
        self._sender = sender
        self._livemode = livemode
        self._poll_seconds = poll_seconds
        # Attempts that were made and that the read model does not know of yet.
        self._made: dict[str, int] = {}

    async def run(self, until: asyncio.Event | None = None) -> None:
        """Go on until cancelled, or the event is set; whatever fails is tried again, with pauses."""
        wait_seconds = self._poll_seconds
        while until is None or not until.is_set():
            try:
                await self.look()
                wait_seconds = self._poll_seconds
            except ReadModelNotBuilt:
                _log.info("invoices wait for their read model to be built")
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("invoices_not_sent", error=type(error).__name__, exc_info=error)
                wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
            await asyncio.sleep(wait_seconds)

    async def look(self) -> int:
        """Send what is to be sent by now, a page of it; how many the server has taken."""
        rows = await self._reads.ask(
            READ_MODEL,
            "invoices_to_send",
            {"now": self._now(), "livemode": self._livemode, "limit": _PAGE},
        )
        taken = 0
        for row in rows:
            attempt = row["delivery_attempts"] + 1
            if self._made.get(row["invoice_id"], 0) < attempt:
                taken += await self._attempt(row, attempt)
        return taken

    async def _attempt(self, row: Mapping[str, Any], attempt: int) -> bool:
        message_id = message_id_of(row["invoice_id"], self._sender)
        command: RecordDelivery | RecordDeliveryFailure
        try:
            await self._post.send(await self._drawn_letter(row, message_id))
            command = RecordDelivery(
                row["invoice_id"], row["email"], message_id, attempt, self._now()
            )
        except NotSent as error:
            command = _failure(row, message_id, attempt, error, self._now())
        await self._record(row, command, attempt)
        return isinstance(command, RecordDelivery)

    async def _record(
        self, row: Mapping[str, Any], command: RecordDelivery | RecordDeliveryFailure, attempt: int
    ) -> None:
        # What failed and what was taken are two things to say of an attempt that was made twice.
        said = "taken" if isinstance(command, RecordDelivery) else "failed"
        id_ = command_id("deliver invoice", row["invoice_id"], str(attempt), said)
        origin = Origin(id_, row["merchant_id"], "process:invoice_delivery", id_.bytes)
        (outcome,) = await self._writer.submit_many([envelope_of(command, origin)])
        if not isinstance(outcome, Done):
            # It is sent again, with the same message id: better twice than never.
            _log.warning("a delivery is not recorded", invoice_id=row["invoice_id"])
            return
        self._made[row["invoice_id"]] = attempt
        if len(self._made) > _SENT_MAX:
            self._made.pop(next(iter(self._made)))

    async def _drawn_letter(self, row: Mapping[str, Any], message_id: str) -> Letter:
        """Raises NotSent where it cannot be drawn: that is seen, and keeps no other letter waiting."""
        try:
            return await self._letter(row, message_id)
        except Exception as error:  # one that cannot be drawn must not stop the others
            _log.warning("an invoice is not drawn", invoice_id=row["invoice_id"], exc_info=error)
            raise NotSent(f"the invoice cannot be drawn: {type(error).__name__}") from error

    async def _letter(self, row: Mapping[str, Any], message_id: str) -> Letter:
        seller = row["seller"] or {"name": row["merchant_name"], "email": None}
        number, name = row["number"], seller["name"]
        test = "" if row["livemode"] else "[TEST] "
        pdf = await self._documents.pdf(row)
        return Letter(
            message_id=message_id,
            sender=self._sender,
            sender_name=name,
            to=row["email"],
            subject=f"{test}Invoice {number} from {name}",
            text=_text(row, name, is_test=not row["livemode"]),
            at=row["issued_at"],
            reply_to=seller["email"],
            attachments=(Attachment(f"invoice-{number}.pdf", pdf, "application/pdf"),),
        )


def message_id_of(invoice_id: str, sender: str) -> str:
    """The same for every attempt."""
    return f"<{invoice_id}@{sender.rpartition('@')[2]}>"


def _failure(
    row: Mapping[str, Any], message_id: str, attempt: int, error: NotSent, now: datetime
) -> RecordDeliveryFailure:
    is_last = error.is_final or attempt >= ATTEMPTS_MAX
    return RecordDeliveryFailure(
        invoice_id=row["invoice_id"],
        email=row["email"],
        message_id=message_id,
        attempt=attempt,
        reason=str(error),
        at=now,
        again_at=None if is_last else now + AGAIN_AFTER[attempt - 1],
    )


def _text(row: Mapping[str, Any], seller: str, *, is_test: bool) -> str:
    decimals = row["decimals"]
    total = printed_text(major_text(int(row["total_units"]), decimals), decimals)
    symbol = row["currency"].rpartition(":")[2]
    due = row["due_at"].date().isoformat()
    lines = [
        f"Invoice {row['number']} from {seller}",
        "",
        f"Amount: {total} {symbol}",
        f"Due: {due}",
        "",
        "The invoice is attached as a PDF.",
    ]
    if is_test:
        lines += ["", "This is a test: no money is owed."]
    return "\n".join(lines) + "\n"
