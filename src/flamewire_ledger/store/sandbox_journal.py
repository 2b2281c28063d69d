"""The journal of the sandbox chains, in Postgres; the Protocol is SandboxJournal in
chains/sandbox/journal.py.

Appends to one chain happen one after the other, under a lock: so there are no gaps to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "sandbox_journal.sql").items()
}
# sequence, transfer, paid_at, real_at, anchored_at, head, is_included, pending_until, removed_at,
# returns_at
JournalRow: TypeAlias = tuple[
    int, Transfer, datetime, datetime, datetime, int, bool, int, int | None, int | None
]


class PostgresSandboxJournal:
    """Every method may raise StoreUnavailable; an append may or may not be there then."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def read(self, chain_id: str, after: int, limit: int) -> Sequence[JournalRow]:
        asked = {"chain_id": chain_id, "after": after, "limit": limit}
        async with self._connections.use() as connection:
            rows = await (await connection.execute(_SQL["read"], asked)).fetchall()
        return [_row(*row) for row in rows]

    async def append(
        self, chain_id: str, write: Callable[[JournalRow | None], JournalRow]
    ) -> JournalRow:
        asked = {"chain_id": chain_id}
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(_SQL["lock"], asked)
            last = await (await connection.execute(_SQL["last"], asked)).fetchone()
            row = write(_row(*last) if last else None)
            await connection.execute(_SQL["append"], asked | _parameters(row))
        return row


def _parameters(row: JournalRow) -> dict[str, Any]:
    sequence, transfer, paid_at, real_at, anchored_at, head, *script = row
    is_included, pending_until, removed_at, returns_at = script
    return {
        "sequence": sequence,
        "network": transfer.network,
        "transaction_id": transfer.transaction_id,
        "index": transfer.index,
        "address": transfer.address,
        "asset": transfer.amount.asset.code,
        "decimals": transfer.amount.asset.decimals,
        "units": transfer.amount.units,
        "paid_at": paid_at,
        "real_at": real_at,
        "anchored_at": anchored_at,
        "head": head,
        "is_included": is_included,
        "pending_until": pending_until,
        "removed_at": removed_at,
        "returns_at": returns_at,
    }


def _row(
    sequence: int,
    network: str,
    transaction_id: str,
    index: int,
    address: str,
    asset: str,
    decimals: int,
    units: Any,
    paid_at: datetime,
    real_at: datetime,
    anchored_at: datetime,
    head: int,
    is_included: bool,
    pending_until: int,
    removed_at: int | None,
    returns_at: int | None,
) -> JournalRow:
    amount = Amount(Asset(asset, decimals), int(units))
    transfer = Transfer(network, transaction_id, index, address, amount)
    return (
        sequence, transfer, paid_at, real_at, anchored_at, head,
        is_included, pending_until, removed_at, returns_at,
    )  # fmt: skip
