"""Items of usage beside the log: claimed by what they are called, so that each counts once.

A claim puts a batch and its new items down in one transaction and one round trip. Nothing here knows
what an item means, and a claim is no record: a batch counts when the log has it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from flamewire_ledger.store.arrays import ByteaArray, Int4Array, TextArray, UuidArray
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.statements import read_statements

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "usage_items.sql").items()
}
_LEVEL: Final = 1
_items: Final = msgspec.msgpack.Decoder(list[bytes])


def key_of(merchant_id: str, source: str, id_: str) -> UUID:
    """What an item is claimed by: the first half of a SHA-256 of its merchant, source and id."""
    # Lengths in front: no two triples are the same text.
    text = f"{merchant_id}\x1f{len(source)}\x1f{source}{id_}"
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


@dataclass(frozen=True, slots=True)
class NewBatch:
    """Items of one account, on their way to be claimed: their keys, and what was sent."""

    batch_id: UUID
    account_id: str
    keys: Sequence[UUID]
    items: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """A batch as it was put down. `taken`: places in `items` of those that are its own."""

    batch_id: UUID
    merchant_id: str
    account_id: str
    claimed_at: datetime
    meter_ids: Sequence[str]
    items: Sequence[bytes]
    taken: Sequence[int]
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """A batch that cannot be recorded, for a reason of its own."""

    batch_id: UUID
    partition: int
    cause: str


class UsageItems(Protocol):
    async def claim(
        self,
        merchant_id: str,
        claimed_at: datetime,
        meter_ids: Sequence[str],
        batches: Sequence[NewBatch],
    ) -> Mapping[UUID, Sequence[int]]:
        """Places of the items that were claimed now, by batch. A batch of which none was is not put
        down.
        """

    async def settle(self, positions: Mapping[UUID, int], given_back: Sequence[UUID]) -> None:
        """Batches are in the log at these positions, or 0 where all was refused; items with these
        keys are let go. Said twice, it is said once.
        """

    async def unfinished_of(self, keys: Sequence[UUID]) -> Sequence[UUID]:
        """Batches that have items with these keys and are not settled."""

    async def counted(self, keys: Sequence[UUID]) -> Collection[UUID]:
        """Those that a settled batch has: they count, and go on to."""

    async def unfinished(self, seconds: float, limit: int) -> Sequence[UUID]:
        """Batches that were claimed so long ago and are not settled, the oldest first; behind them
        those that were put aside, as far as they were not tried lately.
        """

    async def put_aside(self, asides: Sequence[Aside]) -> None:
        """Batches that could not be recorded, each once however often it is said: for an operator."""

    async def aside(self, keys: Sequence[UUID]) -> Collection[UUID]:
        """Those of the keys whose batch was put aside and is not settled."""

    async def release(self) -> None:
        """Batches that are settled are aside no more."""

    async def give_up(self, batch_id: UUID) -> None:
        """An operator has decided that a batch is never recorded: its items can be sent again."""

    async def batches(self, batch_ids: Sequence[UUID]) -> Sequence[ClaimedBatch]: ...

    async def merchant_of(self, batch_id: UUID) -> str | None:
        """Whose a batch is, also where its items cannot be read; None: there is none."""

    async def places(self, keys: Sequence[UUID]) -> Mapping[UUID, tuple[UUID, int]]:
        """The batch of each item that is there, and its place in it, by key."""


class PostgresUsageItems:
    """In the tables of migrations/0030_usage_items.sql."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.round_trips = 0

    async def claim(
        self,
        merchant_id: str,
        claimed_at: datetime,
        meter_ids: Sequence[str],
        batches: Sequence[NewBatch],
    ) -> Mapping[UUID, Sequence[int]]:
        keys: list[UUID] = []
        places: list[int] = []
        seqs: list[int] = []
        for place, batch in enumerate(batches, 1):
            keys += batch.keys
            places += [place] * len(batch.keys)
            seqs += range(len(batch.keys))
        parameters = {
            "merchant_id": merchant_id,
            "claimed_at": claimed_at,
            "meter_ids": list(meter_ids),
            "keys": UuidArray(keys),
            "places": Int4Array(places),
            "seqs": Int4Array(seqs),
            "batches": UuidArray([batch.batch_id for batch in batches]),
            "account_ids": TextArray([batch.account_id for batch in batches]),
            "items": ByteaArray([_packed(batch.items) for batch in batches]),
        }
        return dict(await self._ask("claim", parameters))

    async def settle(self, positions: Mapping[UUID, int], given_back: Sequence[UUID]) -> None:
        batches = UuidArray(list(positions))
        settled = {"batches": batches, "positions": list(positions.values())}
        self.round_trips += 1
        if not given_back:
            async with self._connections.use() as connection:
                await connection.execute(_SQL["settle"], settled)
            return
        keys = {"keys": UuidArray(given_back), "batches": batches}
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(_SQL["give_back"], keys)
            await connection.execute(_SQL["settle"], settled)

    async def unfinished_of(self, keys: Sequence[UUID]) -> Sequence[UUID]:
        return [row[0] for row in await self._ask("unfinished_of", {"keys": UuidArray(keys)})]

    async def counted(self, keys: Sequence[UUID]) -> Collection[UUID]:
        return {row[0] for row in await self._ask("counted", {"keys": UuidArray(keys)})}

    async def unfinished(self, seconds: float, limit: int) -> Sequence[UUID]:
        rows = await self._ask("unfinished", {"seconds": seconds, "limit": limit})
        return [row[0] for row in rows]

    async def put_aside(self, asides: Sequence[Aside]) -> None:
        parameters = {
            "batches": UuidArray([each.batch_id for each in asides]),
            "partitions": Int4Array([each.partition for each in asides]),
            "causes": TextArray([each.cause for each in asides]),
        }
        await self._do("put_aside", parameters)

    async def aside(self, keys: Sequence[UUID]) -> Collection[UUID]:
        return {row[0] for row in await self._ask("aside", {"keys": UuidArray(keys)})}

    async def release(self) -> None:
        await self._do("release", {})

    async def give_up(self, batch_id: UUID) -> None:
        async with self._connections.use() as connection, connection.transaction():
            for name in ("let_go", "close", "discard"):
                await connection.execute(_SQL[name], {"batch_id": batch_id})

    async def batches(self, batch_ids: Sequence[UUID]) -> Sequence[ClaimedBatch]:
        rows = await self._ask("batches", {"batches": UuidArray(batch_ids)})
        return [
            ClaimedBatch(id_, merchant, account, at, meters, _unpacked(items), taken, position)
            for id_, merchant, account, at, meters, items, taken, position in rows
        ]

    async def merchant_of(self, batch_id: UUID) -> str | None:
        rows = await self._ask("merchant_of", {"batch_id": batch_id})
        return rows[0][0] if rows else None

    async def places(self, keys: Sequence[UUID]) -> Mapping[UUID, tuple[UUID, int]]:
        rows = await self._ask("places", {"keys": UuidArray(keys)})
        return {key: (batch_id, seq) for key, batch_id, seq in rows}

    async def _do(self, name: str, parameters: Mapping[str, Any]) -> None:
        async with self._connections.use() as connection:
            await connection.execute(_SQL[name], parameters)

    async def _ask(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        self.round_trips += 1
        async with self._connections.use() as connection:
            return await (await connection.execute(_SQL[name], parameters)).fetchall()


class MemoryUsageItems:
    """The same, as long as the process lives."""

    def __init__(self) -> None:
        self._keys: dict[UUID, tuple[UUID, int]] = {}
        self._batches: dict[UUID, ClaimedBatch] = {}
        self.asides: dict[UUID, Aside] = {}

    async def claim(
        self,
        merchant_id: str,
        claimed_at: datetime,
        meter_ids: Sequence[str],
        batches: Sequence[NewBatch],
    ) -> Mapping[UUID, Sequence[int]]:
        taken: dict[UUID, list[int]] = {}
        for batch in batches:
            for seq, key in enumerate(batch.keys):
                if self._keys.setdefault(key, (batch.batch_id, seq)) == (batch.batch_id, seq):
                    taken.setdefault(batch.batch_id, []).append(seq)
            if batch.batch_id in taken:
                self._batches[batch.batch_id] = ClaimedBatch(
                    batch.batch_id,
                    merchant_id,
                    batch.account_id,
                    claimed_at,
                    list(meter_ids),
                    list(batch.items),
                    taken[batch.batch_id],
                )
        return taken

    async def settle(self, positions: Mapping[UUID, int], given_back: Sequence[UUID]) -> None:
        for key in given_back:
            if self._keys.get(key, (None, 0))[0] in positions:
                del self._keys[key]
        for batch_id, position in positions.items():
            batch = self._batches[batch_id]
            if batch.position is None:
                self._batches[batch_id] = _settled(batch, position)

    async def unfinished_of(self, keys: Sequence[UUID]) -> Sequence[UUID]:
        found = {self._keys[key][0] for key in keys if key in self._keys}
        return [batch_id for batch_id in found if self._batches[batch_id].position is None]

    async def counted(self, keys: Sequence[UUID]) -> Collection[UUID]:
        taken = {key: self._keys[key][0] for key in keys if key in self._keys}
        return {key for key, it in taken.items() if self._batches[it].position is not None}

    async def unfinished(self, seconds: float, limit: int) -> Sequence[UUID]:
        found = [it.batch_id for it in self._batches.values() if it.position is None]
        return sorted(found, key=lambda it: it in self.asides)[:limit]

    async def put_aside(self, asides: Sequence[Aside]) -> None:
        self.asides |= {
            it.batch_id: it for it in asides if self._batches[it.batch_id].position is None
        }

    async def aside(self, keys: Sequence[UUID]) -> Collection[UUID]:
        found = {key: self._keys[key][0] for key in keys if key in self._keys}
        return {key for key, it in found.items() if it in self.asides}

    async def release(self) -> None:
        settled = [it for it in self.asides if self._batches[it].position is not None]
        for batch_id in settled:
            del self.asides[batch_id]

    async def give_up(self, batch_id: UUID) -> None:
        gone = [key for key, (batch, _) in self._keys.items() if batch == batch_id]
        await self.settle({batch_id: 0}, gone)
        await self.release()

    async def batches(self, batch_ids: Sequence[UUID]) -> Sequence[ClaimedBatch]:
        return [self._batches[batch_id] for batch_id in batch_ids if batch_id in self._batches]

    async def merchant_of(self, batch_id: UUID) -> str | None:
        batch = self._batches.get(batch_id)
        return None if batch is None else batch.merchant_id

    async def places(self, keys: Sequence[UUID]) -> Mapping[UUID, tuple[UUID, int]]:
        return {key: self._keys[key] for key in keys if key in self._keys}


def _settled(batch: ClaimedBatch, position: int) -> ClaimedBatch:
    return ClaimedBatch(
        batch.batch_id,
        batch.merchant_id,
        batch.account_id,
        batch.claimed_at,
        batch.meter_ids,
        batch.items,
        batch.taken,
        position,
    )


def _packed(items: Sequence[bytes]) -> bytes:
    return zstd.compress(msgspec.msgpack.encode(items), _LEVEL)


def _unpacked(packed: bytes) -> list[bytes]:
    return _items.decode(zstd.decompress(packed))
