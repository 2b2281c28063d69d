"""A letter as the bytes that are sent: the same each time it is tried, with the same message id, so
that whoever gets it twice can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

# Controls, ends of lines and paragraphs, and signs that turn round the order of others.
_CONTROL: Final = dict.fromkeys((*range(32), *range(127, 160), *range(0x2028, 0x202F)), " ")
_NAME_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    content: bytes
    kind: str  # application/pdf


@dataclass(frozen=True, slots=True)
class Letter:
    """`message_id` with its angle brackets; `at` is the date it bears, whenever it is sent."""

    message_id: str
    sender: str
    sender_name: str
    to: str
    subject: str
    text: str
    at: datetime
    reply_to: str | None = None
    attachments: Sequence[Attachment] = ()


def message_of(letter: Letter) -> EmailMessage:
    """As RFC 5322 has it. Text from outside cannot add a header: line ends become spaces."""
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = letter.message_id
    message["Date"] = format_datetime(letter.at)
    message["From"] = _address(letter.sender, letter.sender_name)
    message["To"] = _address(letter.to, "")
    if letter.reply_to is not None:
        message["Reply-To"] = _address(letter.reply_to, "")
    message["Subject"] = letter.subject.translate(_CONTROL)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    for each in letter.attachments:
        main, _, kind = each.kind.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=kind, filename=each.name)
    if letter.attachments:  # else its boundary would be made of the time and of chance
        message.set_boundary(f"part-{letter.message_id.strip('<>').partition('@')[0]}")
    return message


def _address(address: str, name: str) -> Address:
    clean = " ".join(name.translate(_CONTROL).split())[:_NAME_MAX]
    made = Address(display_name=clean, addr_spec=address)
    if not clean.isascii() or _is_kept(made):
        return made
    # With a letter outside ASCII the whole name is encoded, and nothing in it can be taken for an address.
    return Address(display_name=f"{clean[:-1]}…", addr_spec=address)


def _is_kept(address: Address) -> bool:
    """Whether it is what it says. The library loses the quotes of a name that it breaks over lines:
    `"Shop, eve@example.com …"` would then be a letter from Eve.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = address
    return "".join(message.as_string().split()) == "".join(f"From:{address}".split())
