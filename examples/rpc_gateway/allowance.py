"""May this customer do that? The ledger's answer, remembered for a moment.

Every call asks. A yes is good for a second, and for one more while a question is on its way, so that
who calls all the time never waits for the ledger. A no is asked again at once, because somebody may
have paid. While the ledger is away, what was allowed stays so for a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exposure import Exposure
from ledger import Ledger, Refused, Unreachable

FRESH_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 0.25  # for an answer, where an old yes would do
GRACE_SECONDS: Final = 60.0  # without the ledger
REMEMBERED_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    entitled: bool
    reason: str  # granted, no_credits, not_granted, limit_reached
    remaining: Decimal | None  # credits, where the feature is that there are some
    mark: Decimal  # what was booked when the ledger was asked
    at: float


class Allowances:
    """Of one gateway. Several ask for themselves."""

    def __init__(
        self, ledger: Ledger, exposure: Exposure, fresh_seconds: float = FRESH_SECONDS
    ) -> None:
        self._ledger = ledger
        self._exposure = exposure
        self._fresh_seconds = fresh_seconds
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def check(self, account_id: str, feature: str) -> Answer:
        """Raises Unreachable when nothing is known that still counts, and the ledger is away."""
        key = (account_id, feature)
        known = self._answers.get(key)
        age = GRACE_SECONDS if known is None else time.monotonic() - known.at
        if known is None or not known.entitled or age >= GRACE_SECONDS:
            return await asyncio.shield(self._ask(key))
        if age < self._fresh_seconds:
            return known
        asking = self._ask(key)
        if age < 2 * self._fresh_seconds:
            return known
        try:
            return await asyncio.wait_for(asyncio.shield(asking), WAIT_SECONDS_MAX)
        except (TimeoutError, Unreachable):
            return known

    def left(self, account_id: str, answer: Answer) -> Decimal:
        """Credits that are left at least, by an answer that says how many there were."""
        assert answer.remaining is not None, "it is about credits"
        return answer.remaining - self._exposure.since(account_id, answer.mark)

    def _ask(self, key: tuple[str, str]) -> asyncio.Task[Answer]:
        """The question that is on its way, or a new one."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._answer(key))
            task.add_done_callback(lambda done: self._answered(key, done))
        return task

    def _answered(self, key: tuple[str, str], task: asyncio.Task[Answer]) -> None:
        del self._asking[key]
        if task.cancelled() or isinstance(task.exception(), Unreachable | Refused):
            return  # whoever waits is told; what was known before is still known
        self._answers[key] = task.result()
        self._answers.move_to_end(key)
        if len(self._answers) > REMEMBERED_MAX:
            self._answers.popitem(last=False)

    async def _answer(self, key: tuple[str, str]) -> Answer:
        asked_at, mark = time.monotonic(), self._exposure.mark(key[0])
        path, position = f"/v1/entitlements/{key[0]}/{key[1]}", self._exposure.position
        found = await self._ledger.get(path, **({"min_position": position} if position else {}))
        left = found["remaining"] if found["limit"] is None else None
        remaining = None if left is None else Decimal(left)
        return Answer(found["entitled"], found["reason"], remaining, mark, asked_at)
