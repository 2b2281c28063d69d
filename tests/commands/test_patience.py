"""A store that is asked again says so of what was sent again, and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.store.event_store import Append, StoreUnavailable, StreamAppend, Verdict
from tests.commands.test_batch import filled
from tests.commands.watched_store import WatchedStore
from tests.store.contract import append


class OnePartitionAway(WatchedStore):
    """Partition 0 is away the first time; partition 1 takes longer than that."""

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        self.asked[f"append to {partition}"] += 1
        if partition == 0 and self.asked["append to 0"] == 1:
            raise StoreUnavailable("gone for a moment")
        if partition == 1:
            await asyncio.sleep(0.1)
        return await super().append(partition, appends)


async def test_only_what_was_sent_twice_is_said_to_be() -> None:
    """Else the repeat of an old command would be taken for its own first attempt."""
    patient = PatientStore(OnePartitionAway(partitions=2), seconds_max=2)
    (_, first_again), (_, second_again) = await asyncio.gather(
        *(
            patient.append(partition, [append(StreamAppend("a", 0, [filled(1)]))])
            for partition in (0, 1)
        )
    )
    assert (first_again, second_again) == (True, False)
