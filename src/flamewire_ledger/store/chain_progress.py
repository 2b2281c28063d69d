"""How far each chain was followed, in Postgres; the Protocol is FollowerState in
chains/progress.py.

One transaction moves the cursor with its blocks and transfers, so a crash leaves a place that was
true.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "chain_progress.sql").items()
}
CursorRow: TypeAlias = tuple[int, str | None, int]
BlockRow: TypeAlias = tuple[int, str]
TransferRow: TypeAlias = tuple[Transfer, Block | None, datetime, bool, int | None]


class PostgresFollowerState:
    """Rows by CAIP-2 chain id. Every method may raise StoreUnavailable; then nothing was saved."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def load(
        self, chain_id: str
    ) -> tuple[CursorRow | None, Sequence[BlockRow], Sequence[TransferRow]]:
        asked = {"chain_id": chain_id}
        async with self._connections.use() as connection, connection.transaction():
            cursor = await (await connection.execute(_SQL["cursor"], asked)).fetchone()
            blocks = await (await connection.execute(_SQL["blocks"], asked)).fetchall()
            transfers = await (await connection.execute(_SQL["transfers"], asked)).fetchall()
        return cursor, blocks, [_row(*each) for each in transfers]

    async def track(self, chain_id: str, transfers: Sequence[TransferRow]) -> None:
        async with self._connections.use() as connection, connection.transaction():
            await _put(connection, chain_id, transfers)

    async def save(
        self,
        chain_id: str,
        cursor: CursorRow,
        blocks: Sequence[BlockRow],
        keep_from: int,
        transfers: Sequence[TransferRow],
        forgotten: Sequence[tuple[str, int]],
    ) -> None:
        height, digest, reorganisations = cursor
        of_chain = {"chain_id": chain_id}
        valid = {"valid_to": height - len(blocks), "keep_from": keep_from}
        kept = [block for block in blocks if block[0] >= keep_from]
        new = {"heights": [each[0] for each in kept], "hashes": [each[1] for each in kept]}
        place = {"height": height, "hash": digest, "reorganisations": reorganisations}
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(_SQL["forget_blocks"], of_chain | valid)
            await connection.execute(_SQL["put_blocks"], of_chain | new)
            await _put(connection, chain_id, transfers)
            if forgotten:
                gone = {
                    "transaction_ids": [each[0] for each in forgotten],
                    "indexes": [each[1] for each in forgotten],
                }
                await connection.execute(_SQL["forget_transfers"], of_chain | gone)
            await connection.execute(_SQL["move_cursor"], of_chain | place)


async def _put(connection: Connection, chain_id: str, transfers: Sequence[TransferRow]) -> None:
    if not transfers:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _SQL["put_transfer"], [_parameters(chain_id, row) for row in transfers]
        )


def _parameters(chain_id: str, row: TransferRow) -> dict[str, Any]:
    transfer, block, seen_at, confirmed, missing_since = row
    return {
        "chain_id": chain_id,
        "transaction_id": transfer.transaction_id,
        "index": transfer.index,
        "network": transfer.network,
        "address": transfer.address,
        "asset": transfer.amount.asset.code,
        "decimals": transfer.amount.asset.decimals,
        "units": transfer.amount.units,
        "block_height": block.height if block else None,
        "block_hash": block.hash if block else None,
        "block_at": block.at if block else None,
        "seen_at": seen_at,
        "confirmed": confirmed,
        "missing_since": missing_since,
    }


def _row(
    network: str,
    transaction_id: str,
    index: int,
    address: str,
    asset: str,
    decimals: int,
    units: Any,
    block_height: int | None,
    block_hash: str | None,
    block_at: datetime | None,
    seen_at: datetime,
    confirmed: bool,
    missing_since: int | None,
) -> TransferRow:
    amount = Amount(Asset(asset, decimals), int(units))
    transfer = Transfer(network, transaction_id, index, address, amount)
    block = None
    if block_height is not None and block_hash is not None and block_at is not None:
        block = Block(block_height, block_hash, block_at)
    return transfer, block, seen_at, confirmed, missing_since
