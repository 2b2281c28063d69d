"""How much of an answer a node is listened to: more than any honest answer has, and not all that a
hostile one would send.
"""

from __future__ import annotations

from typing import Final

ANSWER_BYTES_MAX: Final = 64 * 2**20
# Values, lists and objects in it. Each takes up to a hundred bytes of memory, however short it is
# written: `[[],[],…` of 64 MB would be two gigabytes.
ANSWER_PARTS_MAX: Final = 4_000_000


class AnswerTooLarge(Exception):
    """What a node sends is longer than any honest answer."""


def check_answer(answer: bytes) -> None:
    """JSON, before it is taken apart. Raises AnswerTooLarge."""
    if len(answer) > ANSWER_BYTES_MAX:
        raise AnswerTooLarge("an answer is longer than any honest one")
    if answer.count(b",") + answer.count(b"[") + answer.count(b"{") > ANSWER_PARTS_MAX:
        raise AnswerTooLarge("an answer has more parts than any honest one")
