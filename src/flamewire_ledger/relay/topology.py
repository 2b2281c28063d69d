"""What the broker holds: the names and arguments of every exchange and queue, for 3.10 as for
4.x.

Events go through a direct exchange, by partition, into one queue for each group of readers.
Names carry a version, because the arguments of a queue that exists cannot change. Everything is
bounded: a queue that nobody reads drops its oldest messages, which are in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.relay.message import BODY_BYTES_MAX

GROUPS: Final = ("projector", "reactor")

QUEUE_BYTES_MAX: Final = 256 * BODY_BYTES_MAX
PARKED_BYTES_MAX: Final = 64 * BODY_BYTES_MAX
# How often a message may come back because its reader died with it. What a reader gives up on it
# parks itself: since 4.3 returning a message no longer counts.
DELIVERIES_MAX: Final = 20

Arguments = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Names:
    """All names, each behind a prefix, so that several ledgers can share a broker."""

    prefix: str = ""

    @property
    def exchange(self) -> str:
        return f"{self.prefix}flamewire.events.v1"

    @property
    def parked(self) -> str:
        """The exchange and the queue of what could not be used have one name."""
        return f"{self.prefix}flamewire.parked.v1"

    def queue(self, group: str, partition: int) -> str:
        return f"{self.prefix}flamewire.{group}.{partition}.v1"

    def queue_arguments(self) -> Arguments:
        """Quorum queues with one active reader at a time, so that order survives a standby."""
        return {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERIES_MAX,
            "x-dead-letter-exchange": self.parked,
            "x-max-length-bytes": QUEUE_BYTES_MAX,
            "x-overflow": "drop-head",
        }

    def parked_arguments(self) -> Arguments:
        return {
            "x-queue-type": "quorum",
            "x-max-length-bytes": PARKED_BYTES_MAX,
            "x-overflow": "drop-head",
        }


def routing_key(partition: int) -> str:
    return str(partition)
