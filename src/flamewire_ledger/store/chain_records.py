"""How far chains were followed, and what was paid on sandbox chains, in Postgres.

Chains say what they want kept, as tuples of domain types: chains/progress.py and
chains/sandbox/journal.py have the Protocols, and the same in memory. Nothing here knows a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Protocol, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "chain_records.sql").items()
}
_TRANSFER_COLUMNS: Final = 8

CursorRow: TypeAlias = tuple[int, str | None, int]
BlockRow: TypeAlias = tuple[int, str]
TransferRow: TypeAlias = tuple[Transfer, Block | None, datetime, bool, int | None]
JournalRow: TypeAlias = tuple[
    int, Transfer, datetime, datetime, datetime, int, bool, int, int | None, int | None
]


class Lends(Protocol):
    """Where a connection is had for a while: Connections, or a turn that is held on one."""

    def use(self) -> AbstractAsyncContextManager[Connection]: ...


class PostgresFollowerState:
    """Keeps chains.progress.FollowerState."""

    def __init__(self, connections: Lends) -> None:
        self._connections = connections

    async def load(
        self, chain_id: str
    ) -> tuple[CursorRow | None, Sequence[BlockRow], Sequence[TransferRow]]:
        async with self._connections.use() as connection, connection.transaction():
            cursors = await _rows(connection, "cursor", chain_id=chain_id)
            blocks = await _rows(connection, "blocks", chain_id=chain_id)
            transfers = await _rows(connection, "transfers", chain_id=chain_id)
        cursor = cursors[0] if cursors else None
        return cursor, blocks, [_transfer_row(row) for row in transfers]

    async def track(self, chain_id: str, transfers: Sequence[TransferRow]) -> None:
        async with self._connections.use() as connection, connection.transaction():
            await _put_transfers(connection, chain_id, transfers)

    async def save(
        self,
        chain_id: str,
        cursor: CursorRow,
        blocks: Sequence[BlockRow],
        keep_from: int,
        transfers: Sequence[TransferRow],
        forgotten: Sequence[tuple[str, int]],
    ) -> None:
        height, digest, epoch = cursor
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(
                _SQL["put_cursor"],
                {"chain_id": chain_id, "height": height, "hash": digest, "epoch": epoch},
            )
            await connection.execute(
                _SQL["forget_blocks"],
                {
                    "chain_id": chain_id,
                    "valid_to": height - len(blocks),
                    "keep_from": keep_from,
                },
            )
            named = [{"chain_id": chain_id, "height": h, "hash": block} for h, block in blocks]
            await _execute_each(connection, "put_block", named)
            await _put_transfers(connection, chain_id, transfers)
            gone = [
                {"chain_id": chain_id, "transaction_id": transaction_id, "index": index}
                for transaction_id, index in forgotten
            ]
            await _execute_each(connection, "forget_transfer", gone)


class PostgresSandboxJournal:
    """Keeps chains.sandbox.journal.SandboxJournal."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def read(self, chain_id: str, after: int, limit: int) -> Sequence[JournalRow]:
        async with self._connections.use() as connection:
            rows = await _rows(connection, "journal", chain_id=chain_id, after=after, limit=limit)
        return [_journal_row(row) for row in rows]

    async def append(
        self, chain_id: str, write: Callable[[JournalRow | None], JournalRow]
    ) -> JournalRow:
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(_SQL["lock_journal"], {"chain_id": chain_id})
            last = await _rows(connection, "last_in_journal", chain_id=chain_id)
            row = write(_journal_row(last[0]) if last else None)
            sequence, transfer, paid_at, real_at, anchored_at, head, *rest = row
            is_included, pending_until, removed_at, returns_at = rest
            await connection.execute(
                _SQL["append_to_journal"],
                {
                    **_transfer_columns(chain_id, transfer),
                    "sequence": sequence,
                    "paid_at": paid_at,
                    "real_at": real_at,
                    "anchored_at": anchored_at,
                    "head": head,
                    "is_included": is_included,
                    "pending_until": pending_until,
                    "removed_at": removed_at,
                    "returns_at": returns_at,
                },
            )
        return row


async def _put_transfers(
    connection: Connection, chain_id: str, transfers: Sequence[TransferRow]
) -> None:
    rows = [
        {
            **_transfer_columns(chain_id, transfer),
            "block_height": block and block.height,
            "block_hash": block and block.hash,
            "block_at": block and block.at,
            "seen_at": seen_at,
            "is_confirmed": is_confirmed,
            "missing_since": missing_since,
        }
        for transfer, block, seen_at, is_confirmed, missing_since in transfers
    ]
    await _execute_each(connection, "put_transfer", rows)


async def _execute_each(
    connection: Connection, name: str, parameters: Sequence[dict[str, Any]]
) -> None:
    if parameters:
        async with connection.cursor() as cursor:
            await cursor.executemany(_SQL[name], parameters)


async def _rows(connection: Connection, name: str, **parameters: Any) -> list[Any]:
    return await (await connection.execute(_SQL[name], parameters)).fetchall()


def _transfer_columns(chain_id: str, transfer: Transfer) -> dict[str, Any]:
    return {
        "chain_id": chain_id,
        "network": transfer.network,
        "transaction_id": transfer.transaction_id,
        "index": transfer.index,
        "address": transfer.address,
        "asset": transfer.amount.asset.code,
        "decimals": transfer.amount.asset.decimals,
        "units": transfer.amount.units,
        "mark": transfer.mark,
    }


def _transfer(columns: Sequence[Any]) -> Transfer:
    network, transaction_id, index, address, asset, decimals, units, mark = columns
    amount = Amount(Asset(asset, decimals), int(units))
    return Transfer(network, transaction_id, index, address, amount, mark)


def _transfer_row(columns: Sequence[Any]) -> TransferRow:
    height, digest, at, seen_at, is_confirmed, missing_since = columns[_TRANSFER_COLUMNS:]
    block = None if height is None else Block(height, digest, at)
    transfer = _transfer(columns[:_TRANSFER_COLUMNS])
    return transfer, block, seen_at, is_confirmed, missing_since


def _journal_row(columns: Sequence[Any]) -> JournalRow:
    sequence, *rest = columns[_TRANSFER_COLUMNS:]
    return (sequence, _transfer(columns[:_TRANSFER_COLUMNS]), *rest)
