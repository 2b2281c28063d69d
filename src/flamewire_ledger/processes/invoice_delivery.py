"""Invoice delivery: what became final is sent to the customer's address, once: invoices and credit notes.

The read models know what is to be sent. A letter that the server has taken is recorded, as often as
that takes. Should this process end in between, it is sent again, the same bytes with the same message
id, so that whoever gets it twice can tell. What is
refused for good is not tried again; all else a bounded number of times. One process of a mode does
this, whoever has the turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

import structlog

from flamewire_ledger.commands.decider import Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.invoice import RecordDelivery, RecordDeliveryFailure
from flamewire_ledger.mail.message import Letter
from flamewire_ledger.mail.smtp import NotSent
from flamewire_ledger.processes.envelopes import envelope_of
from flamewire_ledger.processes.invoice_letters import KINDS, Documents, Kind, Row, letter_of
from flamewire_ledger.queries.database import ReadModelNotBuilt

_log = structlog.get_logger(__name__)
# After the first attempt, the second …: ten attempts within three days.
AGAIN_AFTER: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 300, 600, 840, 1200, 1440)
)
ATTEMPTS_MAX: Final = len(AGAIN_AFTER) + 1
_PAGE: Final = 20
_WAIT_SECONDS_MAX: Final = 60.0
_SENT_MAX: Final = 10_000
Recording: TypeAlias = RecordDelivery | RecordDeliveryFailure


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
        # Attempts that are to be recorded yet: what was sent is not sent again for that.
        self._unrecorded: dict[str, Recording] = {}

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
        """Send what is to be sent by now, a page of each kind; how many the server has taken."""
        taken = 0
        for kind in KINDS:
            rows = await self._reads.ask(
                kind.read_model,
                kind.question,
                # Those that could not be recorded come first, and must not be all there is.
                {
                    "now": self._now(),
                    "livemode": self._livemode,
                    "limit": _PAGE + len(self._unrecorded),
                },
            )
            for row in rows:
                attempt = row["delivery_attempts"] + 1
                if self._made.get(kind.id_of(row), 0) < attempt:
                    taken += await self._attempt(kind, row, attempt)
        return taken

    async def _attempt(self, kind: Kind, row: Row, attempt: int) -> bool:
        """Made once by this process: where only the recording failed, only that is done again."""
        id_ = kind.id_of(row)
        command = self._unrecorded.get(id_)
        if command is None or command.attempt != attempt:
            command = self._unrecorded[id_] = await self._sent(kind, row, attempt)
        if await self._record(id_, row["merchant_id"], command):
            self._made[id_] = attempt
            del self._unrecorded[id_]
        for known in (self._made, self._unrecorded):
            if len(known) > _SENT_MAX:
                known.pop(next(iter(known)))
        return isinstance(command, RecordDelivery)

    async def _sent(self, kind: Kind, row: Row, attempt: int) -> Recording:
        message_id = message_id_of(kind.id_of(row), self._sender)
        to = row["invoice_id"], row["email"], message_id, attempt
        note_id = row.get("credit_note_id")
        try:
            await self._posted(kind, row, message_id)
            return RecordDelivery(*to, self._now(), note_id)
        except NotSent as error:
            now = self._now()
            is_last = error.is_final or attempt >= ATTEMPTS_MAX
            again_at = None if is_last else now + AGAIN_AFTER[attempt - 1]
            return RecordDeliveryFailure(*to, str(error), now, again_at, note_id)

    async def _posted(self, kind: Kind, row: Row, message_id: str) -> None:
        """Raises NotSent, whatever was wrong: an attempt that is not counted would be made for ever,
        in front of all others.
        """
        letter = await self._drawn(kind, row, message_id)
        try:
            await self._post.send(letter)
        except NotSent:
            raise
        except Exception as error:  # one that cannot be sent must not stop the others
            _log.error("a letter is not sent", document_id=kind.id_of(row), exc_info=error)
            raise NotSent(f"it cannot be sent: {type(error).__name__}") from error

    async def _record(self, id_: str, merchant_id: str, command: Recording) -> bool:
        # What failed and what was taken are two things to say of an attempt that was made twice.
        said = "taken" if isinstance(command, RecordDelivery) else "failed"
        command_id_ = command_id("deliver invoice", id_, str(command.attempt), said)
        origin = Origin(command_id_, merchant_id, "process:invoice_delivery", command_id_.bytes)
        (outcome,) = await self._writer.submit_many([envelope_of(command, origin)])
        if not isinstance(outcome, Done):
            _log.warning("a delivery is not recorded", document_id=id_)
        return isinstance(outcome, Done)

    async def _drawn(self, kind: Kind, row: Row, message_id: str) -> Letter:
        """Raises NotSent where it cannot be drawn: that is seen, and keeps no other letter waiting."""
        try:
            pdf = await kind.pdf(self._documents, row)
            return letter_of(kind, row, pdf, message_id, self._sender)
        except Exception as error:  # one that cannot be drawn must not stop the others
            _log.warning("a paper is not drawn", document_id=kind.id_of(row), exc_info=error)
            raise NotSent(f"the {kind.name} cannot be drawn: {type(error).__name__}") from error


def message_id_of(document_id: str, sender: str) -> str:
    """The same for every attempt."""
    return f"<{document_id}@{sender.rpartition('@')[2]}>"
