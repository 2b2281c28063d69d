"""A command that is queued or on its way, and who waits for what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from flamewire_ledger.commands.decider import Envelope, Failed, Outcome


@dataclass(slots=True)
class Caller:
    """Waits for the outcomes of the commands it sent together."""

    outcomes: list[Outcome | Failed | None]
    left: int
    done: asyncio.Future[None]


@dataclass(slots=True)
class Pending:
    """A command, and who waits for its outcome."""

    envelope: Envelope
    caller: Caller
    index: int
    tries: int = 0
    goes_alone: bool = False  # the store refused a batch that it was in

    def resolve(self, outcome: Outcome | Failed) -> None:
        """Give the caller its outcome, once: a writer that is cancelled may not know it was."""
        caller = self.caller
        if caller.outcomes[self.index] is not None:
            return
        caller.outcomes[self.index] = outcome
        caller.left -= 1
        if caller.left == 0 and not caller.done.done():
            caller.done.set_result(None)
