"""Submitting: a command goes to the writer, and its outcome becomes the answer, the same one each
time it is sent.

The stored answer lacks its position, which is known only once it is recorded; it is put in here,
for the first answer and for every repeat alike, so that they are the same to the byte.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, assert_never

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.commands.decider import Contended, Done, Envelope, Outcome
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, Rejection

POSITION_HEADER: Final = "X-Ledger-Position"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
Build = Callable[[Call], Awaitable[Envelope]]


async def submit(call: Call, build: Build) -> Answer:
    """Build the command, have it recorded, and answer. Raises a Rejection or a Problem when it was
    not.
    """
    return answer_to(call, await done(call, build))


async def done(call: Call, build: Build) -> Done:
    """As `submit`, for those who put more into the answer than is stored."""
    with call.office.running.only_one(call.command_id):
        try:
            envelope = await build(call)
        except Rejection as rejection:
            return concluded(call, await recorded(call) or rejection)
        return concluded(call, await call.parts.writer.submit(envelope))


async def recorded(call: Call) -> Outcome | None:
    """What was answered when this command came before: a request that was done stays done, whatever
    speaks against doing it now.
    """
    if not call.has_key:
        return None
    known = await call.parts.store.find_commands(call.partition, [call.command_id])
    command = known.get(call.command_id)
    if command is None:
        return None
    if command.fingerprint != call.fingerprint:
        return IdempotencyKeyReused(
            "this idempotency key was used with other content; use a new key"
        )
    return Done(command.position, command.answer, replayed=True)


def concluded(call: Call, outcome: Outcome) -> Done:
    """What was recorded, and from now on read by this merchant; raises what was not."""
    done = unless_refused(outcome)
    call.office.acknowledged.note(call.merchant_id, done.position)
    return done


def unless_refused(outcome: Outcome) -> Done:
    """What was recorded; raises what was not."""
    match outcome:
        case Done():
            return outcome
        case Rejection():
            raise outcome
        case Contended():
            raise problems.contended()
        case _:
            assert_never(outcome)


def answer_to(call: Call, outcome: Done) -> Answer:
    headers = {POSITION_HEADER: str(outcome.position)}
    if outcome.replayed:
        headers[REPLAYED_HEADER] = "true"
    return Answer(with_position(outcome), headers)


def with_position(outcome: Done) -> bytes:
    """The stored answer, an object with at least one member, and its position."""
    if not outcome.answer:
        return b'{"position":%d}' % outcome.position
    return b'%s,"position":%d}' % (outcome.answer[:-1], outcome.position)
