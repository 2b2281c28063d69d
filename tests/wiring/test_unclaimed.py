"""How many transfers wait for a person: counted from the read model, and told to the meters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring.unclaimed import UnclaimedCount

CHAIN = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"


class Reads:
    """Answers with these rows, one question after the other; None: it is not built yet."""

    def __init__(self, *answers: Sequence[Mapping[str, Any]] | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            raise ReadModelNotBuilt(projection)
        return answer


def count_of(*answers: Sequence[Mapping[str, Any]] | None) -> tuple[UnclaimedCount, Meters, Reads]:
    meters, reads = Meters(), Reads(*answers)
    return UnclaimedCount(reads, meters), meters, reads  # type: ignore[arg-type]


async def test_the_gauge_says_how_many_wait_on_each_chain() -> None:
    count, meters, _ = count_of([{"chain_id": CHAIN, "count": 3}], [])
    assert await count.look() == {CHAIN: 3}
    said = f'flamewire_unclaimed_transfers{{chain="{CHAIN}"}}'
    assert f"{said} 3.0" in (await meters.render()).decode()
    assert await count.look() == {CHAIN: 0}
    assert f"{said} 0.0" in (await meters.render()).decode()


async def test_a_read_model_that_is_not_there_yet_is_asked_again() -> None:
    count, _, reads = count_of(None, [{"chain_id": CHAIN, "count": 1}])
    running = asyncio.create_task(count.run(every_seconds=0.001))
    async with asyncio.timeout(5):
        while not count.by_chain:
            await asyncio.sleep(0.001)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert count.by_chain == {CHAIN: 1}
    assert reads.asked >= 2
